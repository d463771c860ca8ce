package dev.secateur.cli;

import dev.secateur.device.Device;
import dev.secateur.device.Devices;
import dev.secateur.device.Precision;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** What computes. */
final class DeviceOptions {
  static final String HEADING = "%nDevice:%n";

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      converter = Converters.DeviceName.class,
      description = "auto, cpu or cuda[:N]; default auto")
  private String device = "auto";

  @Option(
      names = "--math",
      paramLabel = "TYPE",
      split = ",",
      converter = Converters.PrecisionName.class,
      description = {
        "fp32, tf32, fp16 or bf16: what the GPU computes in, or the CPU",
        "multiplies in: fp32 or bf16; default auto: tf32 on GPUs that",
        "have it, else fp32; bench and doctor take several"
      })
  private List<Optional<Precision>> precisions = List.of(Optional.empty());

  /** What they came to, which takes a look for GPUs; empty until asked for. */
  private List<Precision> resolved = List.of();

  /** As it was given: auto, cpu or cuda[:N]. */
  String name() {
    return device;
  }

  /** Computes as work that goes on has, where no type is given. */
  void goOn(String math) {
    if (precisions.stream().allMatch(Optional::isEmpty)) {
      precisions = List.of(new Converters.PrecisionName().convert(math));
    }
  }

  Device open(CommandSpec spec) {
    return open(spec, precision(spec));
  }

  Device open(CommandSpec spec, Precision precision) {
    try {
      return Devices.open(device, precision);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--math: " + e.getMessage());
    }
  }

  /**
   * One or more, each once, as typed; what auto comes to on the device.
   *
   * @throws dev.secateur.SecateurException where the device must be asked and there is none
   */
  List<Precision> precisions() {
    if (resolved.isEmpty()) {
      resolved = precisions(device);
    }
    return resolved;
  }

  /** The same on another device than the one named. */
  List<Precision> precisions(String on) {
    return precisions.stream()
        .map(p -> p.orElseGet(() -> Devices.automatic(on)))
        .distinct()
        .toList();
  }

  private Precision precision(CommandSpec spec) {
    if (precisions().size() > 1) {
      String all = precisions().stream().map(DeviceOptions::math).collect(Collectors.joining(","));
      throw new ParameterException(
          spec.commandLine(),
          "--math " + all + ": expected one type; only bench and doctor take several");
    }
    return precisions().get(0);
  }

  /** What the device computes in. */
  String math(CommandSpec spec) {
    return math(precision(spec));
  }

  static String math(Precision precision) {
    return precision.toString();
  }
}
