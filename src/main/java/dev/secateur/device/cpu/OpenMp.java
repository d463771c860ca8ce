package dev.secateur.device.cpu;

import java.nio.charset.StandardCharsets;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * How oneDNN's threads (GNU OpenMP) wait for each other: by spinning, for long unless bounded:
 * where another program has one of the cores, the others burn theirs. GNU OpenMP asks the
 * environment once, as it is loaded, and Java cannot set that of its own process: so an entry is
 * added to C's {@code environ} before.
 */
final class OpenMp {
  /**
   * Turns that a thread waits before it sleeps, a few microseconds: enough between two layers, and
   * too short to matter where the others are off their cores.
   */
  private static final String SPINS = "GOMP_SPINCOUNT=300";

  private OpenMp() {}

  /** Bounds waiting, unless who started Java has said how to; before oneDNN is loaded. */
  static void boundWaiting() {
    if (System.getenv("GOMP_SPINCOUNT") == null && System.getenv("OMP_WAIT_POLICY") == null) {
      Pointer address = Loader.addressof("environ");
      if (address != null && !address.isNull()) {
        add(SPINS, new PointerPointer<>(address));
      }
    }
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
