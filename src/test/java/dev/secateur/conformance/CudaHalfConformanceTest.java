package dev.secateur.conformance;

import dev.secateur.device.Precision;
import dev.secateur.device.cuda.TestCuda;

/** The CUDA device conforms in half precision; losses, matrices and PLS as in full precision. */
class CudaHalfConformanceTest extends DeviceConformance {
  CudaHalfConformanceTest() {
    super(TestCuda.open(Precision.FP16), Precision.FP16);
  }
}
