package dev.secateur.cli;

import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.DeviceReport;
import dev.secateur.device.Devices;
import dev.secateur.device.Precision;
import dev.secateur.device.SelfTest;
import dev.secateur.util.Numbers;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "doctor",
    description = "Says which devices and library versions are here, and what is missing.",
    customSynopsis = "secateur doctor [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur doctor",
      "  secateur doctor --test",
      "  secateur doctor --test --device cuda:1 --math fp32,tf32,bf16 --json"
    })
final class DoctorCommand extends BaseCommand.OnDevice {

  @ArgGroup(validate = false, heading = "%nTests:%n", order = 1)
  private Tests testing = new Tests();

  private static final class Tests {
    @Option(
        names = "--test",
        description = {
          "also compute a little with each library and compare with the known results,",
          "on every device that is here or on the one that --device names"
        })
    private boolean test;
  }

  @Override
  public Integer call() throws IOException {
    Map<String, String> rows = new LinkedHashMap<>();
    rows.put("secateur", Version.text());
    rows.put("java", System.getProperty("java.vm.name") + " " + Runtime.version());
    rows.put(
        "system",
        System.getProperty("os.name")
            + " "
            + System.getProperty("os.version")
            + " "
            + System.getProperty("os.arch"));
    rows.put("cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
    rows.put("memory", mebibytes(physicalMemory()));
    rows.put("java heap limit", mebibytes(Runtime.getRuntime().maxMemory()));
    Path driver = Path.of("/proc/driver/nvidia/version");
    String nvidia = Files.isReadable(driver) ? Files.readAllLines(driver).get(0).strip() : "none";
    boolean ok = true;
    Map<String, String> versions = new LinkedHashMap<>();
    Map<String, List<SelfTest.Check>> tests = new LinkedHashMap<>();
    Map<String, Integer> fallbacks = new LinkedHashMap<>();
    String wanted = device.name();
    try (Device cpu = Devices.open("cpu")) {
      rows.put("device cpu", cpu.description());
      versions.putAll(cpu.versions());
      if (testing.test && !wanted.startsWith("cuda")) {
        tests.put("cpu", test(cpu));
      }
    } catch (RuntimeException | LinkageError e) {
      ok = false;
      rows.put("device cpu", "does not work: " + e.getMessage());
    }
    rows.put("kernel module nvidia", nvidia);
    DeviceReport cuda = Devices.cudaReport();
    ok &= !cuda.fails();
    String gpu = cuda.summary();
    String name = wanted.startsWith("cuda:") ? wanted : "cuda:0";
    if (cuda.works()) {
      try (Device first = Devices.open(name)) {
        gpu = gpu + "; " + name + " is " + first.description();
        versions.putAll(first.versions());
      } catch (SecateurException e) {
        ok = false;
        gpu = "does not work: " + e.getMessage();
      }
      if (testing.test && ok && !wanted.equals("cpu")) {
        for (Precision p : device.precisions(name)) {
          String on = name + " " + p;
          try (Device each = Devices.open(name, p)) {
            tests.put(on, test(each));
            each.fallbacks().forEach((kind, n) -> fallbacks.merge(kind, n, Integer::sum));
          }
        }
      }
    } else {
      ok &= !(testing.test && wanted.startsWith("cuda"));
      gpu = gpu + ContainerHint.of(System.getenv(), Path.of("/"));
    }
    ok &= tests.values().stream().flatMap(List::stream).allMatch(SelfTest.Check::passed);
    rows.put("device cuda", gpu);
    Map<String, String> files = new LinkedHashMap<>();
    cuda.libraries().forEach((library, where) -> files.put("cuda " + library, where));
    Map<String, Object> json = new LinkedHashMap<>(rows);
    json.put("libraries", versions);
    json.put("cuda libraries", cuda.libraries());
    if (testing.test) {
      json.put("tests", tests);
      json.put("fallbacks", fallbacks);
    }
    json.put("ok", ok);
    print(
        json,
        () -> {
          Map<String, String> all = new LinkedHashMap<>(rows);
          all.putAll(files);
          versions.forEach((library, version) -> all.put("library " + library, version));
          tests.forEach((on, checks) -> checks.forEach(c -> all.put(label(on, c), result(c))));
          fallbacks.forEach(
              (kind, n) -> all.put("fallback " + (n == 1 ? "once" : n + " times"), kind));
          int width = all.keySet().stream().mapToInt(String::length).max().orElse(0);
          StringBuilder out = new StringBuilder();
          all.forEach((k, v) -> out.append(Numbers.format("%-" + width + "s  %s%n", k, v)));
          return out.toString();
        });
    return ok ? 0 : 1;
  }

  private List<SelfTest.Check> test(Device device) {
    return SelfTest.run(device, name -> note("testing " + device.name() + ": " + name));
  }

  private static String label(String device, SelfTest.Check c) {
    return "test " + device + " " + c.name();
  }

  private static String result(SelfTest.Check c) {
    return c.passed()
        ? Numbers.format("right (%.1f ms)", c.milliseconds())
        : "WRONG: " + c.problem();
  }

  private static long physicalMemory() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean os
        ? os.getTotalMemorySize()
        : 0;
  }

  private static String mebibytes(long bytes) {
    return bytes / (1 << 20) + " MiB";
  }
}
