package dev.secateur.io;

import dev.secateur.SecateurException;
import dev.secateur.tensor.HostTensor;
import dev.secateur.util.AtomicFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * Tensors and texts that are no model, in a safetensors file.
 *
 * @param tensors by name, in F32
 * @param texts the file's metadata
 */
public record TensorFile(Map<String, HostTensor> tensors, Map<String, String> texts) {

  /**
   * @throws SecateurException for a file that is damaged
   */
  public static TensorFile read(Path file) throws IOException {
    try {
      return Safetensors.read(file, f -> new TensorFile(f.tensors(), f.metadata()));
    } catch (SecateurException e) {
      throw new SecateurException(file + ": is damaged", e);
    }
  }

  /** Writes a file, whole or not at all. */
  public void write(Path file) {
    AtomicFile.write(file, out -> Safetensors.write(tensors, texts, out));
  }
}
