package dev.secateur.cli;

import dev.secateur.SettingException;
import dev.secateur.device.Precision;
import dev.secateur.io.PixelScale;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Scope;
import dev.secateur.prune.criterion.Criteria;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.function.DoublePredicate;
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

  /** auto, which is empty, fp32, tf32, fp16 or bf16. */
  static final class PrecisionName implements ITypeConverter<Optional<Precision>> {
    @Override
    public Optional<Precision> convert(String value) {
      return switch (value) {
        case "auto" -> Optional.empty();
        case "fp32" -> Optional.of(Precision.FP32);
        case "tf32" -> Optional.of(Precision.TF32);
        case "fp16" -> Optional.of(Precision.FP16);
        case "bf16" -> Optional.of(Precision.BF16);
        default ->
            throw new TypeConversionException(
                "'" + value + "': expected auto, fp32, tf32, fp16 or bf16");
      };
    }
  }

  /** A file or folder. */
  static final class FilePath implements ITypeConverter<Path> {
    @Override
    public Path convert(String value) {
      try {
        return Path.of(value);
      } catch (InvalidPathException e) {
        throw new TypeConversionException(noPath(value, System.getProperty("sun.jnu.encoding")));
      }
    }
  }

  /**
   * @param encoding of file names, which the locale says
   */
  static String noPath(String value, String encoding) {
    boolean utf8 = encoding.equalsIgnoreCase("UTF-8");
    return utf8
        ? "'" + value + "' is no path"
        : "'"
            + value
            + "' is no path that this locale ("
            + encoding
            + ") can name: set LC_ALL=C.UTF-8";
  }

  /** Any whole number. */
  static final class WholeNumber implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String value) {
      try {
        return Integer.parseInt(value);
      } catch (NumberFormatException e) {
        throw noWholeNumber(value);
      }
    }
  }

  /** Any whole number, as a long. */
  static final class LongWholeNumber implements ITypeConverter<Long> {
    @Override
    public Long convert(String value) {
      try {
        return Long.parseLong(value);
      } catch (NumberFormatException e) {
        throw noWholeNumber(value);
      }
    }
  }

  private static TypeConversionException noWholeNumber(String value) {
    return new TypeConversionException("'" + value + "': expected a whole number");
  }

  /** A number strictly between 0 and 1. */
  static final class OpenFraction implements ITypeConverter<Double> {
    @Override
    public Double convert(String value) {
      return number(value, v -> v > 0 && v < 1, "a number greater than 0 and less than 1");
    }
  }

  /** A whole number of at least 1. */
  static final class Count implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String value) {
      return whole(value, 1);
    }
  }

  /** A number from 0 up to, but not including, 1. */
  static final class Part implements ITypeConverter<Double> {
    @Override
    public Double convert(String value) {
      return number(value, v -> v >= 0 && v < 1, "a number from 0 up to, but not including, 1");
    }
  }

  /** Minutes; 0 allowed. */
  static final class Minutes implements ITypeConverter<Double> {
    @Override
    public Double convert(String value) {
      return number(value, v -> v >= 0 && Double.isFinite(v), "a number of at least 0");
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

  /** The one that is written so. */
  private static <E> E named(E[] all, String value, String expected) {
    for (E e : all) {
      if (e.toString().equals(value)) {
        return e;
      }
    }
    throw new TypeConversionException("'" + value + "': " + expected);
  }

  /** What pixels become, in a word. */
  static final class Scale implements ITypeConverter<PixelScale.Named> {
    @Override
    public PixelScale.Named convert(String value) {
      return named(PixelScale.Named.values(), value, "expected raw, unit, tf or caffe");
    }
  }

  /** What may go, in a word. */
  static final class Scopes implements ITypeConverter<Scope> {
    @Override
    public Scope convert(String value) {
      return named(
          Scope.values(), value, "expected paper, all, blocks, paper+blocks or all+blocks");
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

  /** A ratio for all layers or for those of a pattern: 0.7, layer2.*=0.5. */
  static final class RatioOfLayers implements ITypeConverter<Map.Entry<String, String>> {
    @Override
    public Map.Entry<String, String> convert(String value) {
      int at = value.lastIndexOf('=');
      return Map.entry(at < 0 ? "*" : value.substring(0, at), value.substring(at + 1));
    }
  }

  /** The name of a recipe that ships. */
  static final class RecipeName implements ITypeConverter<Recipe> {
    @Override
    public Recipe convert(String value) {
      try {
        return Recipe.named(value);
      } catch (SettingException e) {
        throw new TypeConversionException(e.problem());
      }
    }
  }

  /** All of them. */
  static final class RecipeNames implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Recipe.names().iterator();
    }
  }

  /** All criteria, for the help and for completion. */
  static final class CriterionNames implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Criteria.names().iterator();
    }
  }

  private static double number(String value, DoublePredicate ok, String expected) {
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
