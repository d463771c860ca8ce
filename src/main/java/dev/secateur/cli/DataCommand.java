package dev.secateur.cli;

import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Labels;
import dev.secateur.data.Split;
import dev.secateur.data.Unreadable;
import dev.secateur.train.Augmentation;
import dev.secateur.train.ReadingSpeed;
import dev.secateur.util.Numbers;
import dev.secateur.util.Table;
import java.io.IOException;
import java.util.ArrayList;
import java.util.IntSummaryStatistics;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

@Command(
    name = "data",
    description = {
      "Says what a data set holds, and how fast its images are read and decoded: by so many",
      "threads together, and what one core takes for an image."
    },
    customSynopsis = "secateur data KIND:DIR [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur data folder:imagenet",
      "  secateur data 'folder:imagenet?size=224&cache=/scratch/pixels' --split test",
      "  secateur data folder:imagenet --threads 1,8,16 --random-resized-crop 0.08 --json"
    })
final class DataCommand extends BaseCommand {
  @ArgGroup(exclusive = false, multiplicity = "1", heading = DataOptions.HEADING, order = 1)
  private What what;

  @ArgGroup(validate = false, heading = "%nReading:%n", order = 2)
  private Reading reading = new Reading();

  private static final class What {
    @Parameters(index = "0", paramLabel = "KIND:DIR", description = DataSets.KINDS)
    private String data;

    @Option(
        names = "--split",
        paramLabel = "train|test",
        description = "which images; default train")
    private Split split = Split.TRAIN;

    @Option(
        names = "--strict",
        description = "fail at the first image that cannot be read, instead of leaving it out")
    private boolean strict;
  }

  private static final class Reading {
    @Option(
        names = "--threads",
        split = ",",
        paramLabel = "N",
        converter = Converters.Count.class,
        description = "threads that read; default all cores, as training has them")
    private List<Integer> threads = List.of(Runtime.getRuntime().availableProcessors());

    @Option(
        names = "--seconds",
        paramLabel = "S",
        converter = Converters.PositiveReal.class,
        description = "how long each is measured; default 5")
    private float seconds = 5;

    @Option(
        names = "--random-resized-crop",
        paramLabel = "A",
        converter = Converters.Part.class,
        description = "read such parts of images; see finetune")
    private double crop;
  }

  /**
   * What is printed.
   *
   * @param image (C,H,W)
   * @param fewest images of a class, as most; 0 where there are no classes
   */
  private record Summary(
      String data,
      String split,
      int images,
      List<Integer> image,
      String labels,
      int classes,
      int fewest,
      int most,
      List<ReadingSpeed> reading) {}

  @Override
  public Integer call() throws IOException {
    Dataset d =
        DataSets.open(
            what.data, what.split, Optional.empty(), new Unreadable(what.strict, this::warn));
    if (reading.crop > 0 && !d.hasViews()) {
      throw new ParameterException(
          spec.commandLine(),
          "--random-resized-crop: " + what.data + " has images of one size; expected image files");
    }
    Augmentation a = new Augmentation(0, false, 0, 0, 0, reading.crop);
    List<ReadingSpeed> speeds = new ArrayList<>();
    for (int threads : reading.threads) {
      speeds.add(ReadingSpeed.measure(d, a, threads, reading.seconds));
    }
    Summary s = summary(d, speeds);
    print(s, () -> text(s));
    return 0;
  }

  private Summary summary(Dataset d, List<ReadingSpeed> speeds) {
    boolean classes = d.labels() == Labels.CLASSES;
    int[] counts = new int[d.classNames().size()];
    IntStream.range(0, classes ? d.size() : 0).forEach(i -> counts[d.label(i)]++);
    IntSummaryStatistics of = IntStream.of(counts).summaryStatistics();
    return new Summary(
        what.data,
        what.split.toString(),
        d.size(),
        List.of(d.channels(), d.height(), d.width()),
        d.labels().toString(),
        classes ? counts.length : 0,
        of.getMin(),
        of.getMax(),
        speeds);
  }

  private static String text(Summary s) {
    StringBuilder out = new StringBuilder();
    out.append(s.data).append(", ").append(s.split).append(": ").append(s.images);
    out.append(" images of ").append(s.image.get(0)).append('x').append(s.image.get(1));
    out.append('x').append(s.image.get(2));
    if (s.classes > 0) {
      String each = s.fewest == s.most ? "" + s.most : s.fewest + " to " + s.most;
      out.append(", ").append(s.classes).append(" classes of ").append(each);
    } else {
      out.append(s.labels.equals("pairs") ? ", pairs" : ", no classes");
    }
    Table table = new Table("threads", "images/s", "CPU ms an image");
    for (ReadingSpeed r : s.reading) {
      table.row(
          r.threads(),
          Numbers.format("%.0f", r.imagesPerSecond()),
          Numbers.format("%.2f", r.cpuMilliseconds()));
    }
    return out + "\n\n" + table.text();
  }
}
