package dev.secateur.report;

import java.awt.Color;
import java.util.List;
import java.util.stream.Stream;

/**
 * The plots' colours, told apart by people with any colour vision (after Okabe and Ito, and Tol),
 * in a light and a dark variant. In an SVG each is a CSS variable, so that a page can switch.
 */
final class Palette {
  /** Text and axes. */
  static final Entry INK = new Entry("--plot-ink", 0x1b1f24, 0xe6e8ea);

  static final Entry GRID = new Entry("--plot-grid", 0xd5dade, 0x3d444d);
  static final Entry PAPER = new Entry("--plot-paper", 0xfefefe, 0x14171b);

  /** Series, in turn. */
  static final List<Entry> SERIES =
      List.of(
          new Entry("--plot-1", 0x0072b2, 0x58aef0),
          new Entry("--plot-2", 0xd55e00, 0xff8f4a),
          new Entry("--plot-3", 0x00835f, 0x31c79c),
          new Entry("--plot-4", 0xb8578c, 0xe99bc5),
          new Entry("--plot-5", 0xb27700, 0xf0b83a),
          new Entry("--plot-6", 0x2f8fc4, 0x93d4f7),
          new Entry("--plot-7", 0x882255, 0xdd8cb0),
          new Entry("--plot-8", 0x858520, 0xcaca5e),
          new Entry("--plot-9", 0x332288, 0xa296f5),
          new Entry("--plot-10", 0x6d6d6d, 0xb0b0b0));

  private Palette() {}

  /**
   * One colour.
   *
   * @param variable its CSS name
   * @param light RGB on paper
   * @param dark RGB on a dark page
   */
  record Entry(String variable, int light, int dark) {
    Color color() {
      return new Color(light);
    }

    /** What CSS says for it: the variable, and the light colour where no page sets it. */
    String css() {
      return "var(" + variable + "," + hex(light) + ")";
    }
  }

  static Entry series(int i) {
    return SERIES.get(i % SERIES.size());
  }

  /** CSS rules that set every variable: light, and dark for people who ask for it on a screen. */
  static String css(String selector) {
    StringBuilder light = new StringBuilder(selector + "{");
    StringBuilder dark =
        new StringBuilder("@media screen and (prefers-color-scheme:dark){" + selector + "{");
    all()
        .forEach(
            e -> {
              light.append(e.variable()).append(':').append(hex(e.light())).append(';');
              dark.append(e.variable()).append(':').append(hex(e.dark())).append(';');
            });
    return light.append('}').toString() + dark.append("}}");
  }

  static List<Entry> all() {
    return Stream.concat(Stream.of(INK, GRID, PAPER), SERIES.stream()).toList();
  }

  private static String hex(int rgb) {
    return String.format("#%06x", rgb);
  }
}
