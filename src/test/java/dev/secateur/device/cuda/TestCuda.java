package dev.secateur.device.cuda;

import dev.secateur.device.Device;
import dev.secateur.device.Precision;

/**
 * The CUDA device of the tests: on the emulated libraries, or on the machine's own ones with mvn
 * -Pgpu.
 */
public final class TestCuda {
  private TestCuda() {}

  public static boolean emulated() {
    return !Boolean.getBoolean("secateur.test.gpu");
  }

  public static Device open() {
    return open(Precision.FP32);
  }

  public static Device open(Precision precision) {
    if (emulated()) {
      System.setProperty("secateur.cuda.path", EmulatedCuda.directory().toString());
      if (System.getProperty("secateur.cuda.cache") == null) {
        System.setProperty("secateur.cuda.cache", "none"); // outside of Maven
      }
      EmulatedCuda.load();
    }
    return CudaDevice.open(0, precision);
  }
}
