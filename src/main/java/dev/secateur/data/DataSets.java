package dev.secateur.data;

import dev.secateur.SecateurException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import org.tukaani.xz.XZInputStream;

/** Opens data sets by a specification, {@code KIND:DIRECTORY}. */
public final class DataSets {
  private DataSets() {}

  /**
   * @param spec {@code cifar10:DIR}, the binary version, plain, .gz or .xz
   * @throws SecateurException for an unknown kind or a file of wrong length or labels
   */
  public static Dataset open(String spec, Split split) throws IOException {
    int colon = spec.indexOf(':');
    if (colon < 0 || !spec.substring(0, colon).equals("cifar10")) {
      throw new SecateurException("--data " + spec + ": expected cifar10:DIR");
    }
    Path dir = Path.of(spec.substring(colon + 1));
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    if (split == Split.TEST) {
      all.write(cifar(dir, "test_batch.bin"));
    } else {
      for (int i = 1; i <= 5; i++) {
        all.write(cifar(dir, "data_batch_" + i + ".bin"));
      }
    }
    return new Cifar10(all.toByteArray());
  }

  private static byte[] cifar(Path dir, String name) throws IOException {
    for (String ending : new String[] {"", ".gz", ".xz"}) {
      Path file = dir.resolve(name + ending);
      if (!Files.exists(file)) {
        continue;
      }
      byte[] bytes;
      try (InputStream raw = Files.newInputStream(file);
          InputStream in = unpack(raw, ending)) {
        bytes = in.readAllBytes();
      } catch (IOException e) {
        throw new SecateurException(file + ": cannot be unpacked (" + e.getMessage() + ")", e);
      }
      if (bytes.length == 0 || bytes.length % Cifar10.RECORD != 0) {
        throw new SecateurException(
            file
                + ": "
                + bytes.length
                + " bytes; expected a multiple of "
                + Cifar10.RECORD
                + " (a label and 3x32x32 pixels)");
      }
      for (int i = 0; i < bytes.length; i += Cifar10.RECORD) {
        if (bytes[i] < 0 || bytes[i] > 9) {
          throw new SecateurException(
              file
                  + ": label "
                  + (bytes[i] & 255)
                  + " of image "
                  + i / Cifar10.RECORD
                  + "; expected 0 to 9");
        }
      }
      return bytes;
    }
    throw new NoSuchFileException(dir.resolve(name) + " (nor .gz, .xz)");
  }

  private static InputStream unpack(InputStream raw, String ending) throws IOException {
    return switch (ending) {
      case ".gz" -> new GZIPInputStream(raw);
      case ".xz" -> new XZInputStream(raw);
      default -> raw;
    };
  }
}
