package dev.secateur.prune;

import dev.secateur.SecateurException;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What a selection has to respect. Layers are convolutions; a pattern's {@code *} stands for any
 * characters, its {@code ?} for one.
 *
 * @param roundTo what the filters left in a layer that loses any must be a multiple of; for a
 *     grouped convolution those of each group, for a depthwise one all
 * @param keep patterns of layers that lose nothing, nor does what hangs together with them
 * @param minRates the part of its original filters that a layer should have lost: such layers come
 *     first; the last rate whose pattern matches counts
 * @param maxRates the part of its original filters that a layer may have lost at most, likewise
 */
public record Constraints(
    int roundTo, List<String> keep, List<LayerRate> minRates, List<LayerRate> maxRates) {

  /** Nothing but that a layer keeps one filter. */
  public static final Constraints NONE = new Constraints(1, List.of(), List.of(), List.of());

  public Constraints {
    keep = List.copyOf(keep);
    minRates = List.copyOf(minRates);
    maxRates = List.copyOf(maxRates);
  }

  /** A rate for the layers that a pattern matches. */
  public record LayerRate(String pattern, double rate) {}

  /** Whether a layer must not lose a filter. */
  boolean keeps(String layer) {
    return keep.stream().anyMatch(p -> matches(p, layer));
  }

  /** Filters that a layer of so many must have lost. */
  int least(String layer, int width) {
    return (int) Math.ceil(rate(minRates, layer, 0) * width - 1e-9);
  }

  /** Filters that a layer of so many may have lost. */
  int most(String layer, int width) {
    return (int) Math.floor(rate(maxRates, layer, 1) * width + 1e-9);
  }

  /**
   * @param layers all convolutions of the network
   * @throws SecateurException for a pattern that matches none of them
   */
  void check(List<String> layers) {
    for (String pattern : keep) {
      check("--keep", pattern, layers);
    }
    for (LayerRate r : minRates) {
      check("--min-rate", r.pattern(), layers);
    }
    for (LayerRate r : maxRates) {
      check("--max-rate", r.pattern(), layers);
    }
  }

  private static void check(String option, String pattern, List<String> layers) {
    if (layers.stream().noneMatch(l -> matches(pattern, l))) {
      throw new SecateurException(
          option
              + " "
              + pattern
              + ": no convolution is named so; expected such as "
              + String.join(", ", layers.subList(0, Math.min(3, layers.size())))
              + " (secateur info lists them)");
    }
  }

  private static double rate(List<LayerRate> rates, String layer, double otherwise) {
    double rate = otherwise;
    for (LayerRate r : rates) {
      rate = matches(r.pattern(), layer) ? r.rate() : rate;
    }
    return rate;
  }

  private static boolean matches(String pattern, String layer) {
    String regex =
        ("\\Q" + pattern.replace("\\E", "\\E\\\\E\\Q") + "\\E")
            .replace("*", "\\E.*\\Q")
            .replace("?", "\\E.\\Q");
    return Pattern.matches(regex, layer);
  }
}
