package dev.secateur.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.data.Corners;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What recovers accuracy, as a person asks for it. */
class TrainingCommandsTest {
  @TempDir Path dir;

  @BeforeEach
  void makeData() throws IOException {
    Corners.write(dir, 160, 40);
  }

  /** A command on these images; its last word is the output. */
  private Cli.Result run(String words, String output) {
    List<Object> all = new ArrayList<>(List.of(words.replace("DIR", dir.toString()).split(" ")));
    all.addAll(List.of("--data", "idx:" + dir, "--batch-size", "16", "-q", "-o"));
    all.add(dir.resolve(output));
    return Cli.run(all.toArray());
  }

  @Test
  void aTeacherAnAverageAndTheBestEpoch() throws IOException {
    Cli.Result trained =
        run("train resnet8 --epochs 3 --lr 0.05 --hold-out 0.2 --log DIR/log.csv", "m.sct");
    assertEquals(0, trained.code(), trained.err());
    assertTrue(trained.out().contains("held-out top-1: "), trained.out());
    assertTrue(trained.out().contains(" in the best epoch, "), trained.out());
    assertEquals(8, Files.readAllLines(dir.resolve("log.csv")).get(1).split(",").length);

    Cli.fails(
        2,
        "--distill needs a --teacher",
        run("finetune DIR/m.sct --epochs 1 --distill=2", "t.sct"));
    Cli.fails(1, "--keep-epoch", run("finetune DIR/m.sct --epochs 1 --keep-epoch best", "t.sct"));
    Cli.Result tuned =
        run(
            "finetune DIR/m.sct --epochs 2 --distill --teacher DIR/m.sct --ema 0.9 --optimizer adamw"
                + " --lr 0.001 --hold-out 0.2 --keep-epoch best --json",
            "t.sct");
    assertEquals(0, tuned.code(), tuned.err());
    JsonNode json = Json.MAPPER.readTree(tuned.out());
    assertTrue(json.at("/epochs/1/heldOutTop1").isDouble(), tuned.out());
    assertFalse(Files.exists(dir.resolve("t.sct.checkpoint")));
  }

  @Test
  void aRunWithAllOfIt() throws IOException {
    assertEquals(0, run("train resnet8 --epochs 2", "m.sct").code());
    Cli.Result pruned =
        run(
            "prune DIR/m.sct --iterations 2 --finetune-epochs 2 --distill=3 --distill-weight 0.5"
                + " --ema 0.9 --keep-epoch best --evaluate-every 2 --schedule-span run"
                + " --bn-recalibration 64",
            "run");
    assertEquals(0, pruned.code(), pruned.err());
    assertTrue(pruned.out().contains("best epoch %"), pruned.out());
    List<String> epochs = Files.readAllLines(dir.resolve("run/epochs.csv"));
    assertEquals(5, epochs.size(), epochs.toString());
    assertEquals("", epochs.get(1).split(",")[6], "not evaluated");
    assertFalse(epochs.get(2).split(",")[6].isEmpty(), "evaluated");
    double first = Double.parseDouble(epochs.get(2).split(",")[3]);
    double last = Double.parseDouble(epochs.get(4).split(",")[3]);
    assertEquals(0.005, first, 1e-6, "half of the way after one of two iterations");
    assertEquals(0, last, 1e-6);
    JsonNode tuning =
        Json.MAPPER.readTree(dir.resolve("run/run.json").toFile()).at("/recipe/fine-tuning");
    assertEquals(3, tuning.get("distill").asInt());
    assertEquals("best", tuning.get("keep").asText());
  }

  @Test
  void recalibrationHelpsWhereNothingIsFineTuned() throws IOException {
    assertEquals(0, run("train resnet8 --epochs 4 --lr 0.05", "m.sct").code());
    double[] top1 = new double[2];
    for (int i = 0; i < 2; i++) {
      String images = i == 0 ? "0" : "128";
      Cli.Result r =
          run(
              "prune DIR/m.sct --pruning-ratio 0.3 --finetune-epochs 0 --bn-recalibration "
                  + images,
              "run" + i);
      assertEquals(0, r.code(), r.err());
      String row = Files.readAllLines(dir.resolve("run" + i + "/summary.csv")).get(2);
      top1[i] = Double.parseDouble(row.split(",")[4]);
    }
    assertTrue(top1[1] >= top1[0], top1[0] + " without, " + top1[1] + " with");
  }
}
