package dev.secateur.io.keras;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.SecateurException;
import dev.secateur.nn.Model;
import dev.secateur.util.Json;
import io.jhdf.HdfFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;

/**
 * Keras 2 models: an architecture as JSON ({@code to_json}) with its weights in HDF5 ({@code
 * save_weights}), or a whole model in one HDF5 file ({@code save}). Channels last becomes our (N,
 * C, H, W): kernels (R,S,C,K) are turned to (K,C,R,S), a dense layer behind a flatten gets its
 * columns in our order, SAME padding its uneven sides.
 */
public final class KerasImport {
  private static final long LARGEST_JSON = 64L << 20;

  private KerasImport() {}

  /**
   * Normalisation is none but pixel / 255; a softmax at the end is left out, because our outputs
   * are logits.
   *
   * @param architecture a .json file, or an HDF5 file of a whole model
   * @param weights HDF5; may be the same file
   * @throws SecateurException in one line naming the file, for all that cannot be read
   */
  public static Model read(Path architecture, Path weights) throws IOException {
    try (HdfFile file = open(weights)) {
      String json = architecture.equals(weights) ? embedded(weights, file) : text(architecture);
      JsonNode root = Json.MAPPER.readTree(json);
      KerasLayers layers = new KerasLayers(new KerasWeights(file));
      return layers.model(root, Map.of("source", architecture.getFileName().toString()));
    } catch (JsonProcessingException e) {
      throw new SecateurException(architecture + ": its architecture is no JSON", e);
    } catch (SecateurException e) {
      throw e;
    } catch (KerasLayers.Unsupported e) {
      throw new SecateurException(architecture + ": " + e.getMessage(), e);
    } catch (RuntimeException | OutOfMemoryError | StackOverflowError e) {
      // jhdf follows what the file says; a damaged one can lead it anywhere
      throw new SecateurException(weights + ": " + reason(e), e);
    }
  }

  private static String reason(Throwable e) {
    return e.getClass() == IllegalArgumentException.class && e.getMessage() != null
        ? e.getMessage().lines().findFirst().orElse("")
        : "is damaged, or of a kind of HDF5 that is not read";
  }

  private static HdfFile open(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new SecateurException(file + " is a directory; expected an HDF5 file");
    }
    if (!Files.exists(file)) {
      throw new NoSuchFileException(file.toString());
    }
    try {
      return new HdfFile(file);
    } catch (RuntimeException | OutOfMemoryError | StackOverflowError e) {
      throw new SecateurException(file + ": expected an HDF5 file of Keras weights", e);
    }
  }

  private static String embedded(Path path, HdfFile file) {
    return KerasWeights.configuration(file)
        .orElseThrow(
            () ->
                new SecateurException(
                    path
                        + ": holds weights only; give the architecture's .json file, with these"
                        + " weights beside it"));
  }

  private static String text(Path file) throws IOException {
    if (Files.size(file) > LARGEST_JSON) {
      throw new SecateurException(file + ": too large for a Keras architecture in JSON");
    }
    return Files.readString(file);
  }
}
