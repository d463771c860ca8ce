package dev.secateur.conformance;

import dev.secateur.device.Precision;
import dev.secateur.device.cuda.TestCuda;

/** The CUDA device conforms. */
class CudaDeviceConformanceTest extends DeviceConformance {
  CudaDeviceConformanceTest() {
    super(TestCuda.open(), Precision.FP32);
  }
}
