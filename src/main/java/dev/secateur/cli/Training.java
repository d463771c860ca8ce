package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.HoldOut;
import dev.secateur.data.Labels;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.Recipe;
import dev.secateur.run.CheckpointFile;
import dev.secateur.run.EpochLog;
import dev.secateur.run.RunInputs;
import dev.secateur.run.RunRecord;
import dev.secateur.train.EpochMetrics;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import dev.secateur.train.ProgressListener;
import dev.secateur.train.Trainer;
import dev.secateur.train.TrainingContext;
import dev.secateur.util.Cleanup;
import dev.secateur.util.Numbers;
import dev.secateur.util.Table;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** What train and finetune share: train, save, measure on the test split, print. */
abstract class Training extends BaseCommand.OnDevice {
  @ArgGroup(exclusive = false, multiplicity = "1", heading = DataOptions.HEADING, order = 2)
  DataOptions data;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = FineTuningOptions.HEADING, order = 3)
  private FineTuningOptions.Once learning;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = OUTPUT, order = 90)
  private Output output;

  private static final class Output extends UpkeepOptions {
    @Option(
        names = {"-o", "--output"},
        required = true,
        paramLabel = "FILE",
        description = "the trained model (.sct)")
    private Path file;

    @Option(names = "--log", paramLabel = "FILE", description = "a line an epoch, as CSV")
    private Path log;
  }

  /**
   * Trains by the recipe's fine-tuning.
   *
   * @param begun what the model is, and a checksum: a training goes on with the same only
   */
  int train(Model model, Dataset train, Recipe recipe, String begun, long crc32)
      throws IOException {
    Dataset test = data.open(Split.TEST, model.graph(), this::warn);
    List<EpochMetrics> epochs;
    Evaluation e;
    double part = learning.holdOut();
    if (recipe.fineTuning().distill() > 0 && learning.teacher().isEmpty()) {
      throw new ParameterException(spec.commandLine(), "--distill needs a --teacher");
    }
    Optional<Model> master = teacher();
    try (StopSignal stop = new StopSignal();
        Device opened = openDevice();
        Cleanup networks = new Cleanup();
        Network net = new Network(opened, model)) {
      Optional<Network> teacher = master.map(m -> new Network(opened, m));
      teacher.ifPresent(t -> networks.add(t::close));
      Dataset images = train;
      Dataset shown = test;
      if (teacher.isPresent()) {
        images = labelled(teacher.get(), "the teacher", train);
        shown = labelled(teacher.get(), "the teacher", test);
      }
      Optional<HoldOut> parts =
          part > 0 ? Optional.of(HoldOut.of(images, part, recipe.seed())) : Optional.empty();
      CheckpointFile checkpoint =
          new CheckpointFile(
              output.file.resolveSibling(output.file.getFileName() + ".checkpoint"),
              new RunRecord(
                  inputs(opened, begun, crc32, images.labels()), recipe, Optional.empty()),
              output.upkeep(stop, this::warn));
      epochs =
          Trainer.train(
              net,
              parts.map(HoldOut::train).orElse(images),
              recipe.fineTuning().options(recipe.seed()),
              new TrainingContext(
                  logging(stop.ending(progress())), checkpoint, parts.map(HoldOut::held), teacher));
      Models.save(net.toModel().with("made by", commandWithout("--resume")), output.file);
      checkpoint.remove();
      e = Evaluator.evaluate(net, teacher, shown, recipe.scoring().batchSize(), progress());
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("output", output.file.toString());
    json.put("epochs", epochs);
    json.put("test", EvalCommand.json(e));
    print(
        json,
        () ->
            text(epochs) + "test: " + EvalCommand.text(e, measure) + "\nwritten to " + output.file);
    return 0;
  }

  private Optional<Model> teacher() throws IOException {
    return learning.teacher().isPresent()
        ? Optional.of(ModelFiles.open(learning.teacher().get(), this::warn))
        : Optional.empty();
  }

  /** What a training that goes on must agree on: of the data, what is held out too. */
  private RunInputs inputs(Device opened, String begun, long crc32, Labels labels) {
    String from = data.spec() + (learning.holdOut() > 0 ? " -" + learning.holdOut() : "");
    return new RunInputs(
        begun + learning.teacher().map(t -> " taught by " + t).orElse(""),
        crc32,
        from,
        opened.name(),
        math(),
        Version.text(),
        Optional.empty(),
        Optional.of(opened.description()),
        Optional.of(labels).filter(l -> l != Labels.CLASSES));
  }

  private ProgressListener logging(ProgressListener to) {
    return new ProgressListener.Forwarding(to) {
      @Override
      public void epochDone(List<EpochMetrics> done) {
        if (output.log != null) {
          EpochLog.write(output.log, done);
        }
        super.epochDone(done);
      }
    };
  }

  private String text(List<EpochMetrics> epochs) {
    Optional<EpochMetrics> best = EpochMetrics.best(epochs);
    Table table =
        best.isPresent()
            ? new Table(
                "epoch", "loss", measure + " %", "lr", "images/s", "held-out " + measure + " %")
            : new Table("epoch", "loss", measure + " %", "lr", "images/s");
    for (EpochMetrics m : epochs) {
      List<Object> row = new ArrayList<>();
      row.addAll(
          List.of(
              m.epoch(),
              Numbers.format("%.4f", m.loss()),
              Numbers.format("%.2f", m.top1()),
              Numbers.format("%.5f", m.learningRate()),
              Numbers.format("%.0f", m.imagesPerSecond())));
      if (best.isPresent()) {
        row.add(m.heldOutTop1().map(v -> Numbers.format("%.2f", v)).orElse(""));
      }
      table.row(row.toArray());
    }
    EpochMetrics last = epochs.get(epochs.size() - 1);
    return table.text()
        + best.map(
                b ->
                    Numbers.format(
                        "held-out %s: %.2f %% in the best epoch, %d, %.2f %% in the last\n",
                        measure,
                        b.heldOutTop1().orElseThrow(),
                        b.epoch(),
                        last.heldOutTop1().orElseThrow()))
            .orElse("");
  }
}
