package dev.secateur.cli;

import dev.secateur.device.PoolSpec;
import dev.secateur.device.Precision;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Values of options with the range that each must be in. */
final class Converters {
  private Converters() {}

  /** auto, cpu, cuda or cuda:N. */
  static final class DeviceName implements ITypeConverter<String> {
    private static final Pattern NAME = Pattern.compile("auto|cpu|cuda(:\\d+)?");

    @Override
    public String convert(String value) {
      if (!NAME.matcher(value).matches()) {
        throw new TypeConversionException(
            "'" + value + "' is no device; expected auto, cpu or cuda[:N]");
      }
      return value;
    }
  }

  /** fp32, tf32, fp16 or bf16. */
  static final class Math implements ITypeConverter<Precision> {
    @Override
    public Precision convert(String value) {
      return switch (value) {
        case "fp32" -> Precision.FP32;
        case "tf32" -> Precision.TF32;
        case "fp16" -> Precision.FP16;
        case "bf16" -> Precision.BF16;
        default ->
            throw new TypeConversionException("'" + value + "': expected fp32, tf32, fp16 or bf16");
      };
    }
  }

  /** A number strictly between 0 and 1. */
  static final class OpenFraction implements ITypeConverter<Double> {
    @Override
    public Double convert(String value) {
      return number(value, v -> v > 0 && v < 1, "a number greater than 0 and less than 1");
    }
  }

  /** A number from 0 up to, but not including, 1. */
  static final class Fraction implements ITypeConverter<Double> {
    @Override
    public Double convert(String value) {
      return number(value, v -> v >= 0 && v < 1, "a number from 0 up to, but not including, 1");
    }
  }

  /** A finite number above 0. */
  static final class Positive implements ITypeConverter<Double> {
    @Override
    public Double convert(String value) {
      return number(value, v -> v > 0 && Double.isFinite(v), "a number greater than 0");
    }
  }

  /** A finite number of at least 0. */
  static final class NotNegative implements ITypeConverter<Double> {
    @Override
    public Double convert(String value) {
      return number(value, v -> v >= 0 && Double.isFinite(v), "a number of at least 0");
    }
  }

  /** A whole number of at least 1. */
  static final class Count implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String value) {
      return whole(value, 1);
    }
  }

  /** A whole number of at least 0. */
  static final class CountOrZero implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String value) {
      return whole(value, 0);
    }
  }

  /** max or avg. */
  static final class Pooling implements ITypeConverter<PoolSpec.Kind> {
    @Override
    public PoolSpec.Kind convert(String value) {
      return switch (value) {
        case "max" -> PoolSpec.Kind.MAX;
        case "avg" -> PoolSpec.Kind.AVERAGE;
        default -> throw new TypeConversionException("'" + value + "': expected max or avg");
      };
    }
  }

  private static double number(
      String value, java.util.function.DoublePredicate ok, String expected) {
    try {
      double v = Double.parseDouble(value);
      if (ok.test(v)) {
        return v;
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new TypeConversionException("'" + value + "': expected " + expected);
  }

  private static int whole(String value, int least) {
    try {
      int v = Integer.parseInt(value);
      if (v >= least) {
        return v;
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new TypeConversionException(
        "'" + value + "': expected a whole number of at least " + least);
  }
}
