package dev.secateur.cli;

import dev.secateur.SecateurException;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/** Opens model files of every kind that can be read. */
final class ModelFiles {
  private ModelFiles() {}

  /**
   * @param architecture needed for a PyTorch state dict, which holds no structure
   * @param onnx needed for some ONNX files, of no use for others
   * @param warn told what an import leaves out
   * @throws SecateurException when the file needs an architecture and none is given
   */
  static Model open(
      Path file,
      Optional<String> architecture,
      Optional<Integer> classes,
      OnnxOptions onnx,
      Consumer<String> warn)
      throws IOException {
    if (!Files.exists(file)) {
      throw new NoSuchFileException(file.toString());
    }
    if (Files.isDirectory(file)) {
      throw new SecateurException(file + " is a directory; expected a model file");
    }
    if (isOnnx(file)) {
      return Models.importOnnx(file, onnx, warn);
    }
    if (!onnx.equals(OnnxOptions.DEFAULT)) {
      throw new SecateurException(
          file + " is no .onnx file; --mean, --std, --input-size and --output-name are for those");
    }
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    if (name.endsWith(".json") || name.endsWith(".h5") || name.endsWith(".hdf5")) {
      return Models.importKeras(file, Optional.empty());
    }
    if (architecture.isPresent()) {
      return Models.importPyTorch(file, architecture.get(), classes);
    }
    if (isPyTorch(file)) {
      throw new SecateurException(
          file
              + " is a PyTorch state dict, which holds no structure: add --arch NAME, one of "
              + String.join(", ", Architectures.names()));
    }
    return Models.load(file);
  }

  static boolean isOnnx(Path file) {
    return file.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".onnx");
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
