package dev.secateur.cli;

import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.data.Corners;
import dev.secateur.io.onnx.Fixtures;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A network with nodes in front of its layers that are no layers here: ONNX Runtime runs it. */
class OpaqueCommandsTest {
  @TempDir Path dir;
  private String data;

  @BeforeEach
  void images() throws IOException {
    Corners.write(dir, 40, 40);
    data = "idx:" + dir;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void prunedByWeightsAndProved(boolean single) throws IOException {
    Path net = Fixtures.fronted(dir.resolve("net.onnx"), single);
    Path out = dir.resolve("run");
    Cli.Result r = run("prune", net, "--criterion", "l2", "--target-macs", "0.6", "-o", out);
    assertEquals(0, r.code(), r.err());
    Path pruned = out.resolve("model.onnx");
    Cli.Result proof = run("verify", net, pruned);
    assertEquals(0, proof.code(), proof.out() + proof.err());
    assertTrue(proof.out().contains("filters, bit for bit"), proof.out());
    assertTrue(proof.out().contains("in ONNX Runtime from"), proof.out());
    assertTrue(!proof.out().contains("here"), "it does not run here: " + proof.out());
    JsonNode whole = Json.MAPPER.readTree(run("eval", net, "--data", data, "--json").out());
    assertEquals("onnxruntime", whole.get("engine").asText());
    assertEquals(40, whole.get("images").asInt());
    assertEquals(0, run("eval", out.resolve("model.sct"), "--data", data).code());
    Cli.Result bench = run("bench", net, "--engine", "onnxruntime", "--batch", "1", "--runs", "3");
    assertEquals(0, bench.code(), bench.err());
  }

  @ParameterizedTest
  @ValueSource(strings = {"prune", "score", "finetune", "bench"})
  void whatRunsLayersIsRefused(String command) throws IOException {
    Path net = Fixtures.fronted(dir.resolve("net.onnx"), false);
    Path out = dir.resolve("out");
    Cli.Result r =
        switch (command) {
          case "prune" -> run("prune", net, "--data", data, "--criterion", "taylor", "-o", out);
          case "score" -> run("score", net, "--data", data, "-o", out);
          case "finetune" ->
              run(
                  "finetune",
                  net,
                  "--data",
                  data,
                  "--epochs",
                  "1",
                  "--batch-size",
                  "10",
                  "-o",
                  out);
          default -> run("bench", net, "--engine", "secateur");
        };
    assertEquals(1, r.code(), r.out() + r.err());
    assertTrue(r.err().contains("runs whole in ONNX Runtime only"), r.err());
    assertTrue(r.err().lines().noneMatch(l -> l.contains("Exception")), r.err());
  }
}
