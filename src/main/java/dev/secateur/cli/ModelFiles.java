package dev.secateur.cli;

import dev.secateur.SecateurException;
import dev.secateur.io.Models;
import dev.secateur.io.PixelScale;
import dev.secateur.io.keras.KerasImport;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/** Opens model files of every kind that can be read. */
final class ModelFiles {
  private ModelFiles() {}

  /**
   * A file that says all of itself.
   *
   * @param warn told what an import leaves out
   * @throws SecateurException for a PyTorch state dict, which holds no structure
   */
  static Model open(Path file, Consumer<String> warn) throws IOException {
    return open(
        file, Optional.empty(), Optional.empty(), OnnxOptions.DEFAULT, PixelScale.UNIT, warn);
  }

  /**
   * @param architecture needed for a PyTorch state dict, which holds no structure
   * @param onnx needed for some ONNX files, of no use for others
   * @param scale of a Keras network's pixels; of ONNX it is in the options
   * @param warn told what an import leaves out
   * @throws SecateurException when the file needs an architecture and none is given
   */
  static Model open(
      Path file,
      Optional<String> architecture,
      Optional<Integer> classes,
      OnnxOptions onnx,
      PixelScale scale,
      Consumer<String> warn)
      throws IOException {
    if (!Files.exists(file)) {
      throw new NoSuchFileException(file.toString());
    }
    if (Files.isDirectory(file)) {
      throw new SecateurException(file + " is a directory; expected a model file");
    }
    if (isOnnx(file)) {
      if (scale.bgr()) {
        throw new SecateurException(
            "--input caffe: is for Keras networks, and " + file + " is ONNX");
      }
      return Models.importOnnx(file, onnx, warn);
    }
    if (onnx.size().isPresent() || onnx.output().isPresent()) {
      throw new SecateurException(
          file + " is no .onnx file; --input-size and --output-name are for those");
    }
    if (isKeras(file)) {
      return Models.importKeras(file, Optional.empty(), scale);
    }
    if (!scale.equals(PixelScale.UNIT)) {
      throw new SecateurException(
          file + " is no .onnx or Keras file; --mean, --std and --input are for those");
    }
    foreign(file);
    if (architecture.isPresent()) {
      return Models.importPyTorch(file, architecture.get(), classes, warn);
    }
    if (isPyTorch(file)) {
      List<String> fitting = Models.architectures(file);
      throw new SecateurException(
          file
              + " is a PyTorch state dict, which holds no structure: add --arch "
              + (fitting.isEmpty()
                  ? "NAME, of which none fits exactly ("
                      + String.join(", ", Architectures.names())
                      + "), or export to ONNX"
                  : String.join(" or --arch ", fitting) + ", as its tensors are that one's"));
    }
    return Models.load(file);
  }

  /** Archives of whole programs, which hold more than tensors. */
  private static void foreign(Path file) throws IOException {
    try (ZipFile zip = new ZipFile(file.toFile())) {
      List<String> names = zip.stream().map(ZipEntry::getName).toList();
      if (names.stream().anyMatch(n -> n.contains("/code/") || n.endsWith("/constants.pkl"))) {
        throw new SecateurException(
            file
                + " is TorchScript, whose program is not read; export it to ONNX"
                + " (torch.onnx.export(torch.jit.load(FILE), torch.zeros(1, 3, 224, 224),"
                + " \"model.onnx\"))");
      }
    } catch (ZipException e) {
      // no archive at all
    }
  }

  static boolean isOnnx(Path file) {
    return file.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".onnx");
  }

  static boolean isKeras(Path file) throws IOException {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    return Stream.of(".json", ".h5", ".hdf5", ".keras").anyMatch(name::endsWith)
        || KerasImport.isArchive(file);
  }

  private static boolean isPyTorch(Path file) throws IOException {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    if (Models.isSafetensors(file)) {
      return false;
    }
    byte[] head;
    try (InputStream in = Files.newInputStream(file)) {
      head = in.readNBytes(2);
    }
    boolean zip = head.length > 1 && head[0] == 'P' && head[1] == 'K';
    boolean pickle = head.length > 1 && (head[0] & 0xff) == 0x80;
    return zip || pickle || name.endsWith(".th") || name.endsWith(".pt") || name.endsWith(".pth");
  }
}
