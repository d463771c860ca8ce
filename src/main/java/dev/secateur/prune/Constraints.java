package dev.secateur.prune;

import dev.secateur.SettingException;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * What a selection has to respect. Layers are convolutions; a pattern's {@code *} stands for any
 * characters, its {@code ?} for one.
 *
 * @param roundTo what the filters left in a layer that loses any must be a multiple of; for a
 *     grouped convolution those of each group, for a depthwise one all
 * @param keep patterns of layers that lose nothing, nor does what is coupled with them
 * @param minRatios by pattern, the part of its original filters that a layer should have lost: such
 *     layers come first; the last pattern that matches counts
 * @param maxRatios by pattern, the part of its original filters that a layer may have lost at most,
 *     likewise
 */
public record Constraints(
    int roundTo, List<String> keep, Map<String, Double> minRatios, Map<String, Double> maxRatios) {

  /** Nothing but that a layer keeps one filter. */
  public static final Constraints NONE = new Constraints(1, List.of(), Map.of(), Map.of());

  /** Whether a layer must not lose a filter. */
  boolean keeps(String layer) {
    return keep.stream().anyMatch(p -> matches(p, layer));
  }

  /** Filters that a layer of so many must have lost. */
  int minimum(String layer, int width) {
    return (int) Math.ceil(ratio(minRatios, layer, 0) * width - 1e-9);
  }

  /** Filters that a layer of so many may have lost. */
  int maximum(String layer, int width) {
    return (int) Math.floor(ratio(maxRatios, layer, 1) * width + 1e-9);
  }

  /**
   * @param layers all convolutions of the network
   * @throws SettingException for a pattern that matches none of them
   */
  public void check(List<String> layers) {
    keep.forEach(pattern -> check("choice.keep", pattern, layers));
    minRatios.keySet().forEach(pattern -> check("choice.min-pruning-ratio", pattern, layers));
    maxRatios.keySet().forEach(pattern -> check("choice.max-pruning-ratio", pattern, layers));
  }

  private static void check(String setting, String pattern, List<String> layers) {
    if (layers.stream().noneMatch(l -> matches(pattern, l))) {
      throw new SettingException(
          setting,
          pattern
              + ": no layer with filters is named so; expected such as "
              + String.join(", ", layers.subList(0, Math.min(3, layers.size())))
              + " (secateur info lists them)");
    }
  }

  private static double ratio(Map<String, Double> ratios, String layer, double otherwise) {
    double ratio = otherwise;
    for (Map.Entry<String, Double> r : ratios.entrySet()) {
      ratio = matches(r.getKey(), layer) ? r.getValue() : ratio;
    }
    return ratio;
  }

  private static boolean matches(String pattern, String layer) {
    String regex =
        ("\\Q" + pattern.replace("\\E", "\\E\\\\E\\Q") + "\\E")
            .replace("*", "\\E.*\\Q")
            .replace("?", "\\E.\\Q");
    return Pattern.matches(regex, layer);
  }
}
