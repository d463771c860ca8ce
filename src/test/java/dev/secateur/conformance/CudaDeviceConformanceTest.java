package dev.secateur.conformance;

import dev.secateur.device.Device;
import dev.secateur.device.cuda.CudaDevice;
import dev.secateur.device.cuda.EmulatedCuda;

/**
 * The CUDA device conforms: on the emulated libraries, or with -Dsecateur.test.gpu=true on the real
 * ones.
 */
class CudaDeviceConformanceTest extends DeviceConformance {
  CudaDeviceConformanceTest() {
    super(open());
  }

  private static Device open() {
    if (!Boolean.getBoolean("secateur.test.gpu")) {
      System.setProperty("secateur.cuda.path", EmulatedCuda.directory().toString());
      EmulatedCuda.load();
    }
    return CudaDevice.open(0);
  }
}
