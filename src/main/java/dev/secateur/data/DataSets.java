package dev.secateur.data;

import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.tensor.Shape;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;
import org.tukaani.xz.XZInputStream;

/** Opens data sets by a specification, {@code KIND:DIRECTORY}. */
public final class DataSets {
  /** What {@link #open} takes. */
  public static final String KINDS =
      "cifar10:DIR, fashion-mnist:DIR, idx:DIR, folder:DIR, tar:FILES, images:DIR, masks:DIR, pairs:FILE, lfw:DIR";

  private static final List<String> FASHION =
      List.of(
          "T-shirt/top",
          "Trouser",
          "Pullover",
          "Dress",
          "Coat",
          "Sandal",
          "Shirt",
          "Sneaker",
          "Bag",
          "Ankle boot");

  private DataSets() {}

  /** The same with no network in view and unreadable images refused. */
  public static Dataset open(String spec, Split split) throws IOException {
    return open(spec, split, Optional.empty(), Unreadable.REFUSED);
  }

  /**
   * @param spec {@code cifar10:DIR}, the binary version; {@code fashion-mnist:DIR} or {@code
   *     idx:DIR}, IDX files with MNIST's names; each plain, .gz or .xz; {@code
   *     folder:DIR?size=S&resize=R&channels=C&cache=FOLDER&classes=FILE}, JPEG and PNG files in
   *     {@code DIR/train/CLASS} and {@code DIR/test/CLASS} or {@code DIR/val/CLASS}; {@code
   *     tar:FILE.tar}, {@code tar:train-{000..146}.tar} or {@code tar:DIR} with the same options,
   *     such files in archives, KEY.jpg with KEY.cls or CLASS/NAME.jpg; {@code images:DIR} with the
   *     same options, such files anywhere below DIR, or below its train and test or val, and no
   *     classes; {@code masks:DIR} likewise, in its images, and for each a PNG file in its masks;
   *     {@code pairs:FILE.csv} with the same options, or {@code pairs:DIR} with train.csv and
   *     test.csv: image,image,same|different; {@code lfw:DIR} with the same options: Labeled Faces
   *     in the Wild with its pairs.txt
   * @param wanted the network's input (C,H,W): the size of image files where the specification
   *     gives none
   * @param unreadable what becomes of image files that cannot be decoded
   * @throws SecateurException for an unknown kind or a file of wrong length, lines or labels
   */
  public static Dataset open(
      String spec, Split split, Optional<Shape> wanted, Unreadable unreadable) throws IOException {
    int colon = spec.indexOf(':');
    String kind = colon < 0 ? "" : spec.substring(0, colon);
    String place = spec.substring(colon + 1);
    Path dir = Path.of(place);
    return switch (kind) {
      case "cifar10" -> cifar10(dir, split);
      case "idx" -> idx(dir, split, List.of());
      case "fashion-mnist" -> idx(dir, split, FASHION);
      case "folder" -> ImageFolder.open(FolderSpec.of(kind, place, wanted), split, unreadable);
      case "tar" -> TarShards.open(FolderSpec.of(kind, place, wanted), split, unreadable);
      case "images" ->
          ImageFolder.unlabelled(FolderSpec.of(kind, place, wanted), split, unreadable);
      case "masks" -> MaskedImages.open(FolderSpec.of(kind, place, wanted), split, unreadable);
      case "pairs" -> PairLists.csv(FolderSpec.of(kind, place, wanted), split, unreadable);
      case "lfw" -> PairLists.lfw(FolderSpec.of(kind, place, wanted), split, unreadable);
      default -> throw new SettingException("data", spec + ": expected one of " + KINDS);
    };
  }

  /** The first {@code n} images, or all where there are fewer; of pairs, whole ones. */
  public static Dataset first(Dataset all, int n) {
    int whole = all.paired() ? n - n % 2 : n;
    return n >= all.size() ? all : new Subset(all, IntStream.range(0, whole).toArray());
  }

  private static Dataset idx(Path dir, Split split, List<String> names) throws IOException {
    String part = split == Split.TEST ? "t10k" : "train";
    Path images = find(dir, part + "-images-idx3-ubyte");
    Path labels = find(dir, part + "-labels-idx1-ubyte");
    return Idx.of(images.toString(), unpacked(images), labels.toString(), unpacked(labels), names);
  }

  private static Dataset cifar10(Path dir, Split split) throws IOException {
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
    Path file = find(dir, name);
    byte[] bytes = unpacked(file);
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

  private static Path find(Path dir, String name) throws IOException {
    for (String ending : new String[] {"", ".gz", ".xz"}) {
      if (Files.exists(dir.resolve(name + ending))) {
        return dir.resolve(name + ending);
      }
    }
    throw new NoSuchFileException(dir.resolve(name) + " (nor .gz, .xz)");
  }

  private static byte[] unpacked(Path file) {
    String name = file.getFileName().toString();
    try (InputStream raw = Files.newInputStream(file);
        InputStream in = unpack(raw, name.substring(name.lastIndexOf('.') + 1))) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new SecateurException(file + ": cannot be unpacked (" + e.getMessage() + ")", e);
    }
  }

  private static InputStream unpack(InputStream raw, String ending) throws IOException {
    return switch (ending) {
      case "gz" -> new GZIPInputStream(raw);
      case "xz" -> new XZInputStream(raw);
      default -> raw;
    };
  }
}
