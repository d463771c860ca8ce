package dev.secateur.device.cuda;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import java.util.Optional;

/** What cuDNN has to say of its last failure in this thread: cudnnGetLastErrorString. */
final class CudnnMessage {
  private static final int MOST = 1024;

  private CudnnMessage() {}

  /**
   * Its first line; empty where it says nothing, or is from before 9.0. JCuda has no call of it.
   */
  static Optional<String> last() {
    try {
      byte[] text = new byte[MOST];
      NativeLibrary.getInstance(CudaLibrary.CUDNN)
          .getFunction("cudnnGetLastErrorString")
          .invoke(void.class, new Object[] {text, (long) MOST});
      return Native.toString(text)
          .lines()
          .map(String::strip)
          .findFirst()
          .filter(line -> !line.isEmpty());
    } catch (UnsatisfiedLinkError e) {
      return Optional.empty();
    }
  }
}
