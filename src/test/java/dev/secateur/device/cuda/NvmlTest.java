package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.EnergyMeter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Energy by the emulated NVML, whose counter says one joule more at each call. */
class NvmlTest {
  private static final String COUNTER = "nvmlDeviceGetTotalEnergyConsumption";
  @TempDir Path root;
  private Device device;
  private String before;

  @BeforeEach
  void emulated() {
    assumeTrue(TestCuda.emulated());
    device = TestCuda.open();
    EmulatedCuda.reset();
    before = EmulatedCuda.live();
  }

  @AfterEach
  void nothingIsLeft() {
    if (TestCuda.emulated()) {
      EmulatedCuda.reset();
      assertEquals(before, EmulatedCuda.live(), "each nvmlInit has its nvmlShutdown");
      device.close();
    }
  }

  private static EnergyMeter open(Path folder) {
    return Nvml.open(LibraryLocator.of(Map.of(), folder.toString(), folder), "0000:5E:00.0");
  }

  private static String refusal(Path folder) {
    String message = assertThrows(SecateurException.class, () -> open(folder)).getMessage();
    assertEquals(1, message.lines().count(), message);
    return message;
  }

  @Test
  void theCounterOfTheDevicesOwnGpuIsRead() {
    try (EnergyMeter m = device.openEnergyMeter()) {
      assertEquals("NVML's energy counter", m.source());
      double first = m.millijoules();
      assertTrue(first > 5e9, "all 64 bits: " + first);
      assertEquals(first + 1000, m.millijoules());
      assertEquals(0, EmulatedCuda.count("nvmlDeviceGetPowerUsage"));
      assertEquals(1, EmulatedCuda.count("nvmlDeviceGetHandleByPciBusId"));
    }
    assertEquals(1, EmulatedCuda.count("nvmlShutdown"));
  }

  @Test
  void powerServesWhereTheCounterIsRefusedOrAbsent() {
    for (String how : List.of("refused", "absent")) {
      EmulatedCuda.reset();
      EmulatedCuda.fail(COUNTER, -1);
      Path folder = EmulatedCuda.directory();
      try (EnergyMeter m = open(how.equals("absent") ? folder.resolve("old") : folder)) {
        assertEquals("NVML's power readings", m.source());
        assertEquals(how.equals("absent") ? 0 : 1, EmulatedCuda.count(COUNTER));
        double a = m.millijoules();
        long begin = System.nanoTime();
        double b = m.millijoules();
        double c = m.millijoules();
        double most = 250_000 * (System.nanoTime() - begin) / 1e9;
        assertTrue(0 < a && a < b && b < c && c - b <= most, a + " " + b + " " + c + " " + most);
        assertTrue(m.settleMillis() > 1000, "power is a mean of the last second");
      }
    }
  }

  @Test
  void powerIsIntegratedByTheTrapezoidalRule() {
    Iterator<Long> power = List.of(100_000L, 300_000L, 200_000L).iterator();
    Iterator<Long> nanos = List.of(0L, 1_000_000_000L, 1_500_000_000L).iterator();
    PowerIntegral p = new PowerIntegral(power::next, nanos::next);
    assertEquals(200_000, p.millijoules(), 1e-6, "1 s at 200 W on the average");
    assertEquals(325_000, p.millijoules(), 1e-6, "and half a second at 250 W");
  }

  @Test
  void whatIsMissingOrRefusedIsOneLine() throws Exception {
    assertEquals(
        "libnvidia-ml.so.1 (NVML) is missing; it comes with NVIDIA's driver", refusal(root));
    Path file = Files.writeString(root.resolve("libnvidia-ml.so.1"), "no library");
    String message = refusal(root);
    assertTrue(message.startsWith(file + " (NVML) does not serve: "), message);

    for (String call : List.of("nvmlInit", "nvmlDeviceGetHandleByPciBusId")) {
      EmulatedCuda.reset();
      EmulatedCuda.fail(call, 1);
      message = refusal(EmulatedCuda.directory());
      assertTrue(message.matches("NVML does not tell: " + call + "_v2: Not Supported"), message);
    }
    EmulatedCuda.reset();
    EmulatedCuda.fail("nvmlDeviceGetPowerUsage", 1);
    message = refusal(EmulatedCuda.directory().resolve("old"));
    assertEquals("NVML does not tell: nvmlDeviceGetPowerUsage: Not Supported", message);
    SecateurException other =
        assertThrows(
            SecateurException.class,
            () ->
                Nvml.open(
                    LibraryLocator.of(Map.of(), EmulatedCuda.directory().toString(), root),
                    "0000:01:00.0"));
    assertTrue(other.getMessage().endsWith("ByPciBusId_v2: Not Found"), other.getMessage());
  }

  @Test
  void aRefusalWhileMeasuringIsOneLineToo() {
    try (EnergyMeter m = device.openEnergyMeter()) {
      EmulatedCuda.fail(COUNTER, -1);
      String message = assertThrows(SecateurException.class, m::millijoules).getMessage();
      assertEquals("NVML does not tell: " + COUNTER + ": Not Supported", message);
    }
  }
}
