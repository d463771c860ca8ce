package dev.secateur.device.cuda;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;

/**
 * Our own kernels as the jar has them: PTX for every GPU from Turing on, which the driver compiles
 * (about ten seconds, once a machine), and code for some GPUs that needs no compiling. NVIDIA's PTX
 * compiler of CUDA 12.0 made it, so that all drivers for CUDA 12 and later take it.
 */
final class KernelCode {
  private static final String PTX = "/dev/secateur/kernels.ptx";

  /** Compute capabilities with code; it runs on later ones of the same major number too. */
  private static final int[] CAPABILITIES = {75, 80, 90};

  private KernelCode() {}

  static String resource(int capability) {
    return "/dev/secateur/kernels.sm_" + capability + ".cubin.gz";
  }

  /** Code for a GPU of a compute capability such as 86, if there is any. */
  static Optional<byte[]> of(int capability) {
    OptionalInt own =
        IntStream.of(CAPABILITIES).filter(c -> c <= capability && c / 10 == capability / 10).max();
    return own.isEmpty() ? Optional.empty() : Optional.of(code(resource(own.getAsInt())));
  }

  private static byte[] code(String resource) {
    try (InputStream in = new GZIPInputStream(open(resource))) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new SecateurException("cannot read " + resource, e);
    }
  }

  /** Text that ends with a zero, as the driver expects. */
  static byte[] ptx() {
    try (InputStream in = open(PTX)) {
      byte[] text = in.readAllBytes();
      return Arrays.copyOf(text, text.length + 1);
    } catch (IOException e) {
      throw new SecateurException("cannot read " + PTX, e);
    }
  }

  private static InputStream open(String resource) {
    InputStream in = KernelCode.class.getResourceAsStream(resource);
    if (in == null) {
      throw new IllegalStateException("the jar has no " + resource);
    }
    return in;
  }
}
