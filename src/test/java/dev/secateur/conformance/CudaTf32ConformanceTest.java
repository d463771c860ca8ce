package dev.secateur.conformance;

import dev.secateur.device.Precision;
import dev.secateur.device.cuda.TestCuda;

/**
 * The CUDA device conforms with TF32 factors, in NHWC; losses, matrices and PLS as in full
 * precision.
 */
class CudaTf32ConformanceTest extends DeviceConformance {
  CudaTf32ConformanceTest() {
    super(TestCuda.open(Precision.TF32), Precision.TF32);
  }
}
