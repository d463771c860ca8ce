package dev.secateur.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.io.Models;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CreateCommandTest {
  @TempDir Path dir;

  private Model created(Object... more) throws IOException {
    Path file = dir.resolve("m.sct");
    Object[] words = new Object[more.length + 4];
    words[0] = "create";
    words[1] = "-o";
    words[2] = file;
    words[3] = "--json";
    System.arraycopy(more, 0, words, 4, more.length);
    Cli.Result r = Cli.run(words);
    assertEquals(0, r.code(), r.err());
    Model m = Models.load(file);
    JsonNode json = Json.MAPPER.readTree(r.out());
    assertEquals(Cost.of(m.graph()).macs(), json.get("macs").asLong());
    assertEquals(Cost.of(m.graph()).parameters(), json.get("parameters").asLong());
    return m;
  }

  @Test
  void aNetworkWholeOrWithOddWidths() throws IOException {
    Model whole = created("resnet20");
    assertEquals(269_722, Cost.of(whole.graph()).parameters());
    Model pruned = created("resnet20", "--pruning-ratio", 0.3);
    int left = 0;
    for (var n : pruned.graph().nodes()) {
      if (n.name().endsWith("conv1") && n.name().startsWith("layer")) {
        left += pruned.graph().shape(n.name()).size(1);
      }
    }
    assertEquals(336 - 100, left, "0.3 of the 336 filters inside blocks");
    Model again = created("resnet20", "--pruning-ratio", 0.3);
    pruned
        .parameters()
        .forEach(
            (name, t) -> assertArrayEquals(t.data(), again.parameters().get(name).data(), name));
    assertFalse(
        pruned
            .graph()
            .nodes()
            .equals(created("resnet20", "--pruning-ratio", 0.3, "--seed", 2).graph().nodes()));
  }

  @Test
  void sizesAreTheArchitecturesOwnUnlessGiven() throws IOException {
    assertEquals("1x3x224x224", created("resnet18").graph().shape("input").toString());
    Model small = created("resnet18", "--image-size", 64, "--classes", 7, "--channels", 1);
    assertEquals("1x1x64x64", small.graph().shape("input").toString());
    assertEquals(7, small.graph().shape(small.graph().output().name()).size(1));
  }

  @Test
  void whatCannotBeIsOneLine() {
    Path file = dir.resolve("none.sct");
    Cli.fails(
        2,
        "unknown architecture resnet5; expected one of resnet8, ",
        Cli.run("create", "resnet5", "-o", file));
    Cli.fails(2, "--pruning-ratio", Cli.run("create", "resnet8", "-o", file, "--pruning-ratio", 1));
    Cli.fails(2, "-o=FILE", Cli.run("create", "resnet8"));
    assertTrue(Files.notExists(file));
  }
}
