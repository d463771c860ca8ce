package dev.secateur.cli;

import static dev.secateur.cli.Cli.fails;
import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.bench.OnnxOutputs;
import dev.secateur.data.Corners;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Residual blocks at the command line: pruned, reported, proved, exported. */
class BlockCommandsTest {
  @TempDir Path dir;
  private Path model;

  @BeforeEach
  void network() throws IOException {
    Corners.write(dir, 80, 16);
    model = dir.resolve("m.sct");
    Models.save(Architectures.create("resnet20", 4, 1, 16, 1), model);
  }

  @ParameterizedTest
  @CsvSource({"blocks, pls-vip", "paper+blocks, l1", "all+blocks, pls-vip*l1"})
  void theyArePrunedInEveryScope(String scope, String criterion) throws IOException {
    Path out = dir.resolve("run");
    Cli.Result r =
        run(
            "prune",
            model,
            "--data",
            "idx:" + dir,
            "--scope",
            scope,
            "--criterion",
            criterion,
            "--target-macs",
            0.55,
            "--iterations",
            1,
            "--finetune-epochs",
            0,
            "--bn-recalibration",
            0,
            "--batch-size",
            16,
            "-o",
            out,
            "-q");
    assertEquals(0, r.code(), r.err());
    JsonNode metrics = Json.MAPPER.readTree(out.resolve("iter-01/metrics.json").toFile());
    JsonNode removed = metrics.get("removed");
    assertEquals(scope.equals("blocks"), onlySums(removed), removed.toString());
    Path pruned = out.resolve("model.sct");
    JsonNode info = Json.MAPPER.readTree(run("info", pruned, "--json").out());
    JsonNode before = Json.MAPPER.readTree(run("info", model, "--json").out());
    assertTrue(info.get("macs").asLong() <= 0.55 * before.get("macs").asLong(), info.toString());
    if (scope.equals("blocks")) {
      assertEquals(7 - removed.size(), info.get("blocks").size());
      Cli.Result proof = run("verify", model, pruned);
      assertEquals(0, proof.code(), proof.out() + proof.err());
      assertTrue(proof.out().contains(removed.size() + " residual blocks"), proof.out());
    }
    assertEquals(0, run("report", out, "-q").code());
    assertTrue(Files.readString(out.resolve("report/report.html")).contains(".add"));
    Path onnx = dir.resolve("m.onnx");
    assertEquals(0, run("export", pruned, "-o", onnx).code());
    assertEquals(4, OnnxOutputs.of(onnx, 1, 16, 16).get(0).length);
  }

  private static boolean onlySums(JsonNode removed) {
    boolean[] all = {removed.size() > 0};
    removed.fieldNames().forEachRemaining(n -> all[0] &= n.endsWith(".add"));
    return all[0];
  }

  @Test
  void whatCannotGoIsToldInOneLine() throws IOException {
    fails(
        2,
        "--scope: 'block': expected paper, all, blocks, paper+blocks or all+blocks",
        run("info", model, "--scope", "block"));
    Path vgg = dir.resolve("vgg.sct");
    Models.save(Architectures.create("vgg11_bn_cifar", 4, 1, 32, 1), vgg);
    fails(
        1,
        "no filter or block can go: none is in scope",
        run("prune", vgg, "--criterion", "l1", "--scope", "blocks", "-o", dir.resolve("r"), "-q"));
  }
}
