package dev.secateur.device.cpu;

import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * How the threads of oneDNN (GNU OpenMP) and of OpenBLAS wait for the next call: by spinning, for
 * long unless bounded. OpenBLAS's wait 2^26 cycles, while oneDNN's want their cores, and oneDNN's
 * burn theirs where another program has one of the others. Both libraries ask the environment once,
 * as they are loaded, and Java cannot set that of its own process: so entries are added to C's
 * {@code environ} before.
 */
final class ThreadWaits {
  /**
   * Turns that a thread of OpenMP waits before it sleeps, a few microseconds: enough between two
   * layers, and too short to matter where the others are off their cores.
   */
  private static final String OPENMP = "GOMP_SPINCOUNT=300";

  /** The same for OpenBLAS, the exponent of two of cycles (its blas_server.c). */
  private static final String OPENBLAS = "OPENBLAS_THREAD_TIMEOUT=14";

  private ThreadWaits() {}

  /** Bounds waiting, unless who started Java has said how to; before either library is loaded. */
  static void bound() {
    Pointer address = Loader.addressof("environ");
    if (address == null || address.isNull()) {
      return;
    }
    PointerPointer<?> environment = new PointerPointer<>(address);
    if (unset("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")) {
      add(OPENMP, environment);
    }
    if (unset("OPENBLAS_THREAD_TIMEOUT", "GOTO_THREAD_TIMEOUT")) {
      add(OPENBLAS, environment);
    }
  }

  private static boolean unset(String... names) {
    return Stream.of(names).allMatch(name -> System.getenv(name) == null);
  }

  /** Replaces the list of entries by a longer copy, which stays for good. */
  private static void add(String entry, PointerPointer<?> environment) {
    PointerPointer<?> before = new PointerPointer<>(environment.get(0));
    int n = 0;
    while (before.get(n) != null) {
      n++;
    }
    long size = Pointer.sizeof(Pointer.class);
    PointerPointer<?> after = new PointerPointer<>(Pointer.malloc((n + 2) * size));
    for (int i = 0; i < n; i++) {
      after.put(i, before.get(i));
    }
    byte[] text = (entry + '\0').getBytes(StandardCharsets.US_ASCII);
    BytePointer copy = new BytePointer(Pointer.malloc(text.length)).capacity(text.length);
    after.put(n, copy.put(text));
    after.put(n + 1, (Pointer) null);
    environment.put(0, after);
  }
}
