package dev.secateur.device;

import dev.secateur.SecateurException;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.CudaDevice;

/** Opens devices by the names that the command line takes. */
public final class Devices {
  private Devices() {}

  /**
   * Opens a device. {@code auto} is the first GPU where the driver, all libraries and a GPU are
   * there, else the processor; the system property secateur.auto=cpu forbids the GPU.
   *
   * @param spec auto, cpu, cuda or cuda:N
   * @throws SecateurException if there is no such device
   */
  public static Device open(String spec) {
    if (spec.equals("auto")) {
      boolean wanted = !System.getProperty("secateur.auto", "").equals("cpu");
      return wanted && cudaReport().works() ? CudaDevice.open(0) : new CpuDevice();
    }
    if (spec.equals("cpu")) {
      return new CpuDevice();
    }
    if (spec.matches("cuda(:\\d{1,4})?")) {
      return CudaDevice.open(spec.equals("cuda") ? 0 : Integer.parseInt(spec.substring(5)));
    }
    throw new SecateurException("no device \"" + spec + "\"; expected auto, cpu, cuda or cuda:N");
  }

  /** What CUDA there is on this machine. */
  public static DeviceReport cudaReport() {
    return CudaDevice.report();
  }
}
