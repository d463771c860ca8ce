package dev.secateur.io.pytorch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.secateur.JavaNames;
import dev.secateur.SecateurException;
import dev.secateur.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files written by torch.save are read; fixtures: scripts/make-architecture-fixtures.py. */
class StateDictTest {
  private static final Path FIXTURES = Path.of("src", "test", "resources", "pytorch");

  /** A file; more by -Dsecateur.test.mutations=N. */
  private static final int MUTATIONS = Integer.getInteger("secateur.test.mutations", 500);

  @TempDir Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"small.pt", "small-legacy.pt"})
  void tensorsAreTorchs(String file) throws IOException {
    JsonNode expected =
        new ObjectMapper().readTree(Files.readString(FIXTURES.resolve("small.json")));
    Map<String, HostTensor> got = StateDict.read(FIXTURES.resolve(file));
    assertEquals(expected.size(), got.size());
    got.forEach(
        (name, t) -> {
          JsonNode data = expected.path(name).path("data");
          float[] values = new float[data.size()];
          for (int i = 0; i < values.length; i++) {
            values[i] = (float) data.get(i).asDouble();
          }
          assertArrayEquals(values, t.data(), name);
          JsonNode shape = expected.path(name).path("shape");
          for (int i = 0; i < shape.size(); i++) {
            assertEquals(shape.get(i).asInt(), t.shape().size(i), name);
          }
        });
  }

  @Test
  void wrappersAndTheirPrefixesAreTakenOff() throws IOException {
    Map<String, HostTensor> got = StateDict.read(FIXTURES.resolve("wrapped.pt"));
    assertEquals(Set.of("weight", "bias"), got.keySet());
  }

  @ParameterizedTest
  @ValueSource(strings = {"small.pt", "small-legacy.pt"})
  void damagedFilesEndInOneLine(String name) throws IOException {
    SplittableRandom random = new SplittableRandom(5);
    byte[] whole = Files.readAllBytes(FIXTURES.resolve(name));
    int refused = 0;
    for (int i = 0; i < MUTATIONS; i++) {
      byte[] bytes = whole.clone();
      if (random.nextInt(4) == 0) {
        bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
      } else {
        for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
          bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
        }
      }
      Path file = Files.write(dir.resolve("m" + i + ".pt"), bytes);
      try {
        StateDict.read(file);
      } catch (SecateurException e) {
        refused++;
        assertEquals(1, e.getMessage().lines().count(), e.getMessage());
        assertTrue(e.getMessage().contains(file.getFileName().toString()), e.getMessage());
        JavaNames.none(e.getMessage());
      } catch (Throwable e) {
        fail("mutation " + i, e);
      }
    }
    assertTrue(refused > MUTATIONS / 4, "only " + refused + " were refused");
  }
}
