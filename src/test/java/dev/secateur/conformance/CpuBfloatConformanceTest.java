package dev.secateur.conformance;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Precision;
import dev.secateur.device.cpu.CpuDevice;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.condition.EnabledIf;

/** Convolutions of the processor with BF16 factors conform; all else is as in full precision. */
@EnabledIf(value = "possible", disabledReason = "the processor has neither AVX512-BF16 nor AMX")
class CpuBfloatConformanceTest implements ConvolutionConformance {
  private final Device device = CpuDevice.open(Precision.BF16);
  private final Arena arena = device.newArena();

  static boolean possible() {
    return CpuDevice.multipliesBfloat();
  }

  @AfterEach
  void close() {
    device.close();
  }

  @Override
  public Device device() {
    return device;
  }

  @Override
  public Precision precision() {
    return Precision.BF16;
  }

  @Override
  public Arena arena() {
    return arena;
  }

  /** Both factors are rounded to 2^-9. */
  @Override
  public double product() {
    return 4 * 0x1p-9;
  }
}
