package dev.secateur.conformance;

import dev.secateur.device.Precision;
import dev.secateur.device.cuda.TestCuda;

/** The CUDA device conforms in bfloat16; losses, matrices and PLS as in full precision. */
class CudaBfloatConformanceTest extends DeviceConformance {
  CudaBfloatConformanceTest() {
    super(TestCuda.open(Precision.BF16), Precision.BF16);
  }
}
