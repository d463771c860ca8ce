package dev.secateur.device.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.PointerPointer;
import org.junit.jupiter.api.Test;

/** What a library that is loaded later reads in the environment. */
class ThreadWaitsTest {

  @Test
  void theEnvironmentHasTheBoundsAndWhatItHadBefore() {
    new CpuDevice().close();
    List<String> entries = new ArrayList<>();
    PointerPointer<?> all = new PointerPointer<>(Loader.addressof("environ"));
    PointerPointer<BytePointer> list = new PointerPointer<>(all.get(0));
    for (int i = 0; list.get(i) != null; i++) {
      entries.add(list.get(BytePointer.class, i).getString());
    }
    if (unset("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")) {
      assertEquals(1, entries.stream().filter("GOMP_SPINCOUNT=300"::equals).count());
    }
    if (unset("OPENBLAS_THREAD_TIMEOUT", "GOTO_THREAD_TIMEOUT")) {
      assertEquals(1, entries.stream().filter("OPENBLAS_THREAD_TIMEOUT=14"::equals).count());
    }
    System.getenv()
        .forEach((name, value) -> assertTrue(entries.contains(name + "=" + value), name));
  }

  private static boolean unset(String... names) {
    return Stream.of(names).allMatch(name -> System.getenv(name) == null);
  }
}
