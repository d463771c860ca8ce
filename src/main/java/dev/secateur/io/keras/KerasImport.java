package dev.secateur.io.keras;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.secateur.SecateurException;
import dev.secateur.nn.Model;
import dev.secateur.util.Json;
import io.jhdf.HdfFile;
import java.io.CharConversionException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * Keras 2 and 3 models: an architecture as JSON ({@code to_json}) with its weights in HDF5 ({@code
 * save_weights}), a whole model in one HDF5 file ({@code save}), or a {@code .keras} archive of
 * both (keras/src/saving/saving_lib.py). Channels last becomes our (N, C, H, W): kernels (R,S,C,K)
 * are turned to (K,C,R,S), a dense layer behind a flatten gets its columns in our order, SAME
 * padding its uneven sides.
 */
public final class KerasImport {
  /** Of a network whose first layer divides pixels: they are read as they are. */
  public static final String RAW_PIXELS = "raw-pixels";

  private static final long LARGEST_JSON = 64L << 20;
  private static final String CONFIG = "config.json";
  private static final String WEIGHTS = "model.weights.h5";

  private KerasImport() {}

  /** Whether a file is an archive as Keras 3 saves models. */
  public static boolean isArchive(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      return false;
    }
    try (ZipFile zip = new ZipFile(file.toFile())) {
      return zip.getEntry(CONFIG) != null && zip.getEntry("metadata.json") != null;
    } catch (ZipException e) {
      return false;
    }
  }

  /**
   * Normalisation is none but pixel / 255; a softmax at the end is left out, because our outputs
   * are logits.
   *
   * @param architecture a .json file, an HDF5 file of a whole model, or an archive
   * @param weights HDF5; may be the same file
   * @throws SecateurException in one line naming the file, for all that cannot be read
   */
  public static Model read(Path architecture, Path weights) throws IOException {
    boolean archive = architecture.equals(weights) && isArchive(architecture);
    try (HdfFile file = archive ? packed(weights) : open(weights)) {
      String json =
          archive
              ? new String(entry(architecture, CONFIG, LARGEST_JSON), StandardCharsets.UTF_8)
              : architecture.equals(weights) ? embedded(weights, file) : text(architecture);
      String version = archive ? version(architecture) : KerasWeights.version(file);
      KerasConfig config = new KerasConfig(Json.MAPPER.readTree(json), version);
      KerasLayers layers = new KerasLayers(new KerasWeights(file));
      return layers.model(config, Map.of("source", architecture.getFileName().toString()));
    } catch (JsonProcessingException | CharConversionException e) {
      throw new SecateurException(architecture + ": its architecture is no JSON", e);
    } catch (SecateurException e) {
      throw e;
    } catch (KerasLayers.Unsupported e) {
      throw new SecateurException(architecture + ": " + e.getMessage(), e);
    } catch (ZipException e) {
      throw new SecateurException(architecture + ": is a damaged archive", e);
    } catch (RuntimeException | OutOfMemoryError | StackOverflowError e) {
      // jhdf follows what the file says; a damaged one can lead it anywhere
      throw new SecateurException(weights + ": " + reason(e), e);
    }
  }

  private static String version(Path archive) throws IOException {
    byte[] metadata = entry(archive, "metadata.json", LARGEST_JSON);
    return Json.MAPPER.readTree(metadata).path("keras_version").asText("");
  }

  private static HdfFile packed(Path archive) throws IOException {
    byte[] weights = entry(archive, WEIGHTS, Integer.MAX_VALUE - 8);
    try {
      return HdfFile.fromBytes(weights);
    } catch (RuntimeException | OutOfMemoryError | StackOverflowError e) {
      throw new SecateurException(archive + ": its " + WEIGHTS + " is no HDF5 file", e);
    }
  }

  /** A whole entry of an archive, which cannot be longer than the file that it is stored in. */
  private static byte[] entry(Path archive, String name, long largest) throws IOException {
    try (ZipFile zip = new ZipFile(archive.toFile())) {
      ZipEntry entry = zip.getEntry(name);
      if (entry == null) {
        throw new SecateurException(
            archive + ": holds no " + name + "; expected a Keras 3 archive with weights in HDF5");
      }
      if (entry.getSize() > largest) {
        throw new SecateurException(archive + ": its " + name + " is too large to be read");
      }
      try (InputStream in = zip.getInputStream(entry)) {
        return in.readNBytes((int) largest);
      }
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
