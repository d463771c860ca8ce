package dev.secateur.conformance;

import dev.secateur.device.Precision;
import dev.secateur.device.cpu.CpuDevice;

/** The processor conforms. */
class CpuDeviceConformanceTest extends DeviceConformance {
  CpuDeviceConformanceTest() {
    super(new CpuDevice(), Precision.FP32);
  }
}
