package dev.secateur.device.cuda;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The CUDA libraries of src/test/native, which stand in for NVIDIA's on host memory. Call {@link
 * #load} before JCuda's first use: whoever asks for these library names later gets the loaded ones.
 */
public final class EmulatedCuda {

  private static boolean loaded;

  private EmulatedCuda() {}

  /** Where scripts/build-emulated-cuda puts them in the Maven build. */
  public static Path directory() {
    return Path.of(System.getProperty("secateur.emulated.cuda", "target/emulated-cuda"))
        .toAbsolutePath();
  }

  public static synchronized void load() {
    if (loaded) {
      return;
    }
    for (String name :
        List.of(
            "libcuda.so.1",
            "libcublasLt.so.12",
            "libcublas.so.12",
            "libcudnn.so.9",
            "libcusolver.so.11",
            "libcusolverMg.so.11",
            "libsecateur_emu_jni.so")) {
      Path file = directory().resolve(name);
      if (!Files.exists(file)) {
        throw new IllegalStateException(
            file + " is missing; run scripts/build-emulated-cuda target/emulated-cuda");
      }
      System.load(file.toString());
    }
    loaded = true;
  }

  /** One line per live allocation, stream, event, module, graph, context, handle, descriptor. */
  public static native String live();

  /**
   * Calls of an API function (without _v2) since the last reset; or "bytes HtoD", "bytes DtoH",
   * "bytes DtoD", "synchronisations".
   */
  public static native long count(String name);

  /** All that {@link #count} tells: lines of a number, a space and its name. */
  public static native String counts();

  /**
   * Forgets counts, injected failures, the memory limit, illegal accesses, the GPU's name and kind.
   */
  public static native void reset();

  /**
   * The nth following call of a function fails, as out of memory or as a failed launch; with -1
   * cuDNN does not support any.
   */
  public static native void fail(String api, long nth);

  /** What the GPU calls itself from now on. */
  public static native void name(String name);

  /** Its compute capability from now on, 75, 80 or 90; until the next reset. */
  public static native void capability(int capability);

  /** The same, and the GPU answers nothing but errors from then on, as after a crashed kernel. */
  public static native void failForGood(String api, long nth);

  /** How much device memory there is. */
  public static native void memory(long bytes);

  /** The last complaint, as printed after "emulated CUDA: ". */
  public static native String lastMessage();
}
