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
      return open(found(), precision);
    }
    if (spec.equals("cpu")) {
      return CpuDevice.open(precision);
    }
    if (spec.matches("cuda(:\\d{1,4})?")) {
      return CudaDevice.open(ordinal(spec), precision);
    }
    throw new SecateurException("no device \"" + spec + "\"; expected auto, cpu, cuda or cuda:N");
  }

  /**
   * The precision of a device where none is asked for: TF32 on GPUs whose tensor cores have it, as
   * PyTorch's convolutions do, else FP32.
   *
   * @param spec as {@link #open(String)} takes it
   * @throws SecateurException if there is no such GPU
   */
  public static Precision automatic(String spec) {
    String device = spec.equals("auto") ? found() : spec;
    return device.startsWith("cuda") ? CudaDevice.automatic(ordinal(device)) : Precision.FP32;
  }

  /** What auto means here. */
  private static String found() {
    boolean wanted = !System.getProperty("secateur.auto", "").equals("cpu");
    return wanted && cudaReport().works() ? "cuda" : "cpu";
  }

  private static int ordinal(String spec) {
    return spec.equals("cuda") ? 0 : Integer.parseInt(spec.substring(5));
  }

  /** What CUDA there is on this machine. */
  public static DeviceReport cudaReport() {
    return CudaDevice.report();
  }
}
