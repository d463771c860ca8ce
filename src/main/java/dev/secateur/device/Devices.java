package dev.secateur.device;

import dev.secateur.SecateurException;
import dev.secateur.device.cpu.CpuDevice;

/** Opens devices by the names that the command line takes. */
public final class Devices {
  private Devices() {}

  /**
   * Opens a device.
   *
   * @param spec auto, cpu, cuda or cuda:N
   * @throws SecateurException if there is no such device
   */
  public static Device open(String spec) {
    if (spec.equals("auto") || spec.equals("cpu")) {
      return new CpuDevice();
    }
    if (spec.matches("cuda(:\\d+)?")) {
      throw new SecateurException("the CUDA device is not built yet; use --device cpu");
    }
    throw new SecateurException("no device \"" + spec + "\"; expected auto, cpu, cuda or cuda:N");
  }
}
