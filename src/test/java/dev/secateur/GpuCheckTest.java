package dev.secateur;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What scripts/gpu-check promises of its record, with a stand-in for the program. */
class GpuCheckTest {
  private static final String PROGRAM =
      """
      #!/bin/sh
      case $1 in
        doctor) echo "a library is missing" >&2; exit 3 ;;
        prune) sleep 60 ;;
        eval) echo '{"top1": 90.5, "loss": 0.5, "images": 200, "imagesPerSecond": 1000}' ;;
      esac
      """;

  private static final String BUNDLE =
      """
      {"commit": "abc", "made": "today", "testImages": 200, "trainImages": 200,
       "eval": {"m.sct": {"result": {"top1": 90.5, "loss": 0.5, "images": 200}}},
       "prune": {"arguments": []}}
      """;

  @TempDir Path bundle;

  @Test
  void aFailureOrALateStepHidesNoOther() throws IOException, InterruptedException {
    assumeTrue(
        Stream.of(System.getenv("PATH").split(":"))
            .anyMatch(f -> Files.isExecutable(Path.of(f, "python3"))),
        "no python3");
    Path script = Files.copy(Path.of("scripts/gpu-check"), bundle.resolve("gpu-check"));
    Path program = Files.writeString(bundle.resolve("secateur"), PROGRAM);
    assertTrue(program.toFile().setExecutable(true));
    Files.writeString(bundle.resolve("bundle.json"), BUNDLE);
    Process p =
        new ProcessBuilder(
                "python3",
                script.toString(),
                "--only",
                "doctor,prune,eval",
                "--limit-scale",
                "0.05",
                "--emulated",
                "nowhere",
                "--out",
                bundle.resolve("out").toString())
            .redirectErrorStream(true)
            .redirectOutput(bundle.resolve("log").toFile())
            .start();
    assertTrue(p.waitFor(50, TimeUnit.SECONDS), "still runs");
    String log = Files.readString(bundle.resolve("log"));
    assertEquals(1, p.exitValue(), log);
    JsonNode record = Json.MAPPER.readTree(bundle.resolve("out/gpu-check.json").toFile());
    assertTrue(record.get("emulated").asBoolean());
    JsonNode steps = record.get("steps");
    assertEquals("failed", steps.at("/doctor/status").asText());
    assertEquals("a library is missing\n", steps.at("/doctor/data/stderr").asText());
    assertTrue(steps.at("/prune/problem").asText().startsWith("no time left"), steps.toString());
    assertEquals("ok", steps.at("/eval/status").asText(), steps.toString());
    String text = Files.readString(bundle.resolve("out/gpu-check.md"));
    assertTrue(text.contains("EMULATED CUDA") && text.contains("2 of 3 steps failed"), text);
    assertTrue(text.contains("| m.sct | 200 | 90.50 | 90.50 |"), text);
  }
}
