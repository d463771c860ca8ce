package dev.secateur.conformance;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Precision;
import dev.secateur.device.cuda.EmulatedCuda;
import dev.secateur.device.cuda.TestCuda;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.TestInstance;

/**
 * Convolutions conform where cuDNN's graph API does all that it can, whatever is faster; in each
 * type.
 */
class CudnnGraphConformanceTest {
  private static final String USE = "secateur.cuda.cudnn-graphs";
  private static final String EXECUTE = "cudnnBackendExecute";

  @TestInstance(TestInstance.Lifecycle.PER_CLASS)
  private abstract static class Forced implements EpilogueConformance {
    private final Precision precision;
    private final Device device;
    private final long before;
    private Arena arena;

    Forced(Precision precision) {
      this.precision = precision;
      System.setProperty(USE, "always");
      try {
        this.device = TestCuda.open(precision);
        this.before = TestCuda.emulated() ? EmulatedCuda.count(EXECUTE) : 0;
      } finally {
        System.clearProperty(USE);
      }
    }

    @BeforeEach
    void newArena() {
      arena = device.newArena();
    }

    @AfterEach
    void closeArena() {
      arena.close();
    }

    @AfterAll
    void closeDevice() {
      device.close();
      boolean turing = "75".equals(System.getenv("SECATEUR_EMU_CAPABILITY"));
      boolean can = TestCuda.emulated() && !(turing && precision == Precision.BF16);
      assertTrue(!can || EmulatedCuda.count(EXECUTE) > before, "plans ran");
    }

    @Override
    public final Device device() {
      return device;
    }

    @Override
    public final Precision precision() {
      return precision;
    }

    @Override
    public final Arena arena() {
      return arena;
    }
  }

  @Nested
  class InSinglePrecision extends Forced {
    InSinglePrecision() {
      super(Precision.FP32);
    }
  }

  @Nested
  class InTf32 extends Forced {
    InTf32() {
      super(Precision.TF32);
    }
  }

  @Nested
  class InHalfPrecision extends Forced {
    InHalfPrecision() {
      super(Precision.FP16);
    }
  }

  @Nested
  class InBfloat16 extends Forced {
    InBfloat16() {
      super(Precision.BF16);
    }
  }
}
