package dev.secateur.conformance;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Precision;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;

/**
 * What {@link Device} promises, for every implementation: results against a reference in double
 * precision, gradients against finite differences of it, memory, order, refusals. A subclass names
 * the device; nothing else may.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class DeviceConformance
    implements ConvolutionConformance,
        EpilogueConformance,
        NormConformance,
        PoolConformance,
        PointwiseConformance,
        VisionConformance,
        LossConformance,
        MatrixConformance,
        PlsConformance,
        MemoryConformance,
        ArgumentConformance {
  private final Device device;
  private final Precision precision;
  private Arena arena;

  DeviceConformance(Device device, Precision precision) {
    this.device = device;
    this.precision = precision;
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
