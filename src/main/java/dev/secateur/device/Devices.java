package dev.secateur.device;

import dev.secateur.SecateurException;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.CudaDevice;

/** Opens devices by the names that the command line takes. */
public final class Devices {
  private Devices() {}

  /**
   * Opens a device in single precision. {@code auto} is the first GPU where the driver, all
   * libraries and a GPU are there, else the processor; the system property secateur.auto=cpu
   * forbids the GPU.
   *
   * @param spec auto, cpu, cuda or cuda:N
   * @throws SecateurException if there is no such device
   */
  public static Device open(String spec) {
    return open(spec, Precision.FP32);
  }

  /**
   * The same in another precision; the processor takes FP32, and BF16 where it multiplies so.
   *
   * @throws IllegalArgumentException in one line, if the device cannot compute so
   */
  public static Device open(String spec, Precision precision) {
    if (spec.equals("auto")) {
      boolean wanted = !System.getProperty("secateur.auto", "").equals("cpu");
      return open(wanted && cudaReport().works() ? "cuda" : "cpu", precision);
    }
    if (spec.equals("cpu")) {
      return CpuDevice.open(precision);
    }
    if (spec.matches("cuda(:\\d{1,4})?")) {
      int ordinal = spec.equals("cuda") ? 0 : Integer.parseInt(spec.substring(5));
      return CudaDevice.open(ordinal, precision);
    }
    throw new SecateurException("no device \"" + spec + "\"; expected auto, cpu, cuda or cuda:N");
  }

  /** What CUDA there is on this machine. */
  public static DeviceReport cudaReport() {
    return CudaDevice.report();
  }
}
