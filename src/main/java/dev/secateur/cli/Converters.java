package dev.secateur.cli;

import dev.secateur.device.PoolSpec;
import dev.secateur.device.Precision;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.prune.Constraints.LayerRate;
import dev.secateur.prune.criterion.Criteria;
import java.util.Iterator;
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
  static final class PrecisionName implements ITypeConverter<Precision> {
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

  /** A finite number. */
  static final class Real implements ITypeConverter<Float> {
    @Override
    public Float convert(String value) {
      return (float) number(value, v -> Float.isFinite((float) v), "a number");
    }
  }

  /** A finite number above 0, as a float. */
  static final class PositiveReal implements ITypeConverter<Float> {
    @Override
    public Float convert(String value) {
      return (float)
          number(value, v -> (float) v > 0 && Float.isFinite((float) v), "a number greater than 0");
    }
  }

  /** H,W in pixels. */
  static final class ImageSize implements ITypeConverter<OnnxOptions.Size> {
    @Override
    public OnnxOptions.Size convert(String value) {
      String[] words = value.split(",", -1);
      if (words.length != 2) {
        throw new TypeConversionException("'" + value + "': expected H,W, such as 224,224");
      }
      return new OnnxOptions.Size(whole(words[0], 1), whole(words[1], 1));
    }
  }

  /** A rate from 0 to 1, for all layers or for those of a pattern: 0.7, layer2.*=0.5. */
  static final class RateOfLayers implements ITypeConverter<LayerRate> {
    @Override
    public LayerRate convert(String value) {
      int at = value.lastIndexOf('=');
      String rate = value.substring(at + 1);
      return new LayerRate(
          at < 0 ? "*" : value.substring(0, at),
          number(rate, v -> v >= 0 && v <= 1, "a number from 0 to 1, or LAYER=number"));
    }
  }

  /** A part below 1, or an amount with k, M or G behind it for thousands and so on. */
  static final class Amount implements ITypeConverter<Double> {
    @Override
    public Double convert(String value) {
      int power = value.isEmpty() ? 0 : "kMG".indexOf(value.charAt(value.length() - 1)) + 1;
      String digits = power == 0 ? value : value.substring(0, value.length() - 1);
      double n =
          number(
              digits,
              v -> v > 0 && Double.isFinite(v),
              "a part such as 0.5, or an amount such as 500k, 2M or 1.5G");
      return n * Math.pow(1000, power);
    }
  }

  /** Part of a time, or an amount of it. */
  record Latency(double value, boolean milliseconds) {}

  /** 0.6 of the original's time, or 0.8ms. */
  static final class LatencyTarget implements ITypeConverter<Latency> {
    @Override
    public Latency convert(String value) {
      boolean ms = value.endsWith("ms");
      double v;
      try {
        v = Double.parseDouble(ms ? value.substring(0, value.length() - 2) : value);
      } catch (NumberFormatException e) {
        v = 0;
      }
      if (!(v > 0 && v < (ms ? Double.POSITIVE_INFINITY : 1))) {
        throw new TypeConversionException(
            "'"
                + value
                + "': expected a part of the original's time between 0 and 1, or milliseconds such"
                + " as 0.8ms");
      }
      return new Latency(v, ms);
    }
  }

  /** The name of a criterion. */
  static final class CriterionName implements ITypeConverter<String> {
    @Override
    public String convert(String value) {
      if (!Criteria.names().contains(value)) {
        throw new TypeConversionException(
            "'" + value + "': expected one of " + String.join(", ", Criteria.names()));
      }
      return value;
    }
  }

  /** All of them, for the help and for completion. */
  static final class CriterionNames implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Criteria.names().iterator();
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
