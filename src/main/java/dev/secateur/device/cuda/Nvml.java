package dev.secateur.device.cuda;

import com.sun.jna.Function;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import dev.secateur.SecateurException;
import dev.secateur.device.EnergyMeter;
import dev.secateur.util.Cleanup;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The energy of one GPU by NVIDIA's management library, which comes with the driver: by its counter
 * ({@code nvmlDeviceGetTotalEnergyConsumption}, millijoules since the driver was loaded, Volta or
 * newer), else by its power ({@code nvmlDeviceGetPowerUsage}, milliwatts) times the time between
 * two readings. Newer GPUs tell the mean power of the last second (Ampere but for GA100, and
 * later), so work must have run that long before power is about it. Both are of the whole board,
 * with whatever else runs on it; on a GPU that is divided (MIG) of all its parts.
 */
final class Nvml implements EnergyMeter {
  static final String SONAME = "libnvidia-ml.so.1";
  private static final String COUNTER = "nvmlDeviceGetTotalEnergyConsumption";
  private static final String POWER = "nvmlDeviceGetPowerUsage";

  /** A counter is brought up to date a few times in that time. */
  private static final long COUNTER_SETTLES = 200;

  private static final long POWER_SETTLES = 1200;

  private final NativeLibrary library;
  private final Cleanup closers = new Cleanup();
  private final Pointer gpu;
  private final Optional<PowerIntegral> power;

  private Nvml(Path file, String pciBusId) {
    library = NativeLibrary.getInstance(file.toAbsolutePath().toString());
    closers.add(library::close);
    try {
      call("nvmlInit_v2");
      closers.add(() -> call("nvmlShutdown"));
      PointerByReference handle = new PointerByReference();
      call("nvmlDeviceGetHandleByPciBusId_v2", pciBusId, handle);
      gpu = handle.getValue();
      power = counts() ? Optional.empty() : Optional.of(integral());
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    } catch (LinkageError e) { // a function that an old driver's library has not
      throw Cleanup.after(e, closers);
    }
  }

  /**
   * @throws SecateurException in one line, if the library is absent or tells neither
   */
  static EnergyMeter open(LibraryLocator locator, String pciBusId) {
    Path file =
        locator
            .find(SONAME)
            .orElseThrow(
                () ->
                    new SecateurException(
                        SONAME + " (NVML) is missing; it comes with NVIDIA's driver"));
    try {
      return new Nvml(file, pciBusId);
    } catch (LinkageError e) {
      String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
      throw new SecateurException(file + " (NVML) does not serve: " + reason, e);
    }
  }

  private boolean counts() {
    try {
      return library.getFunction(COUNTER).invokeInt(new Object[] {gpu, new LongByReference()}) == 0;
    } catch (UnsatisfiedLinkError e) {
      return false; // a driver from before Volta
    }
  }

  private PowerIntegral integral() {
    return new PowerIntegral(this::milliwatts, System::nanoTime);
  }

  private long milliwatts() {
    IntByReference out = new IntByReference();
    call(POWER, gpu, out);
    return Integer.toUnsignedLong(out.getValue());
  }

  /**
   * @throws SecateurException naming the function and NVML's reason
   */
  private void call(String name, Object... arguments) {
    Function f = library.getFunction(name);
    int status = f.invokeInt(arguments);
    if (status != 0) {
      String reason =
          library.getFunction("nvmlErrorString").invokeString(new Object[] {status}, false);
      throw new SecateurException("NVML does not tell: " + name + ": " + reason);
    }
  }

  @Override
  public String source() {
    return power.isPresent() ? "NVML's power readings" : "NVML's energy counter";
  }

  @Override
  public double millijoules() {
    if (power.isPresent()) {
      return power.get().millijoules();
    }
    LongByReference out = new LongByReference();
    call(COUNTER, gpu, out);
    return out.getValue();
  }

  @Override
  public long settleMillis() {
    return power.isPresent() ? POWER_SETTLES : COUNTER_SETTLES;
  }

  @Override
  public void close() {
    closers.close();
  }
}
