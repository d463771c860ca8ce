package dev.secateur.report;

import dev.secateur.SecateurException;
import dev.secateur.util.AtomicFile;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import javax.imageio.ImageIO;

/**
 * A plot of series over x: for the page (SVG that takes the page's colours), and as SVG and PNG
 * files. Series differ by marker and dash as well as by colour.
 */
public final class Plot {
  /** PNG pixels per unit of size. */
  private static final int PNG_SCALE = 2;

  private final Builder b;

  private Plot(Builder b) {
    this.b = b;
  }

  /** How a series is drawn. */
  enum Kind {
    LINE,
    BAND,
    SCATTER,
    BARS,
    RANGES
  }

  /**
   * @param low ends of the error bars or the band, empty for none
   * @param high likewise
   */
  record Series(String name, Kind kind, double[] x, double[] y, double[] low, double[] high) {}

  /** A straight line through the whole plot at a y value. */
  record Reference(String name, double y) {}

  /** Begins a plot; 480 x 330 pixels large unless said otherwise. */
  public static Builder of(String title, String xLabel, String yLabel) {
    return new Builder(title, xLabel, yLabel);
  }

  /** Gathers what is in a plot. Points that are not finite numbers are left out of the drawing. */
  public static final class Builder {
    private final String title;
    private final String xLabel;
    private final String yLabel;
    private String description = "";
    private int width = 480;
    private int height = 330;
    private boolean sideways;
    private OptionalDouble yLow = OptionalDouble.empty();
    private OptionalDouble yHigh = OptionalDouble.empty();
    private Optional<List<String>> categories = Optional.empty();
    private final List<Series> series = new ArrayList<>();
    private final List<Reference> references = new ArrayList<>();

    private Builder(String title, String xLabel, String yLabel) {
      this.title = title;
      this.xLabel = xLabel;
      this.yLabel = yLabel;
    }

    /** What the plot shows, in words, for people who do not see it. */
    public Builder description(String text) {
      description = text;
      return this;
    }

    /** In CSS pixels; text is 14 high. */
    public Builder size(int width, int height) {
      this.width = width;
      this.height = height;
      return this;
    }

    /** X runs downwards and y to the right: for bars with long names. */
    public Builder sideways() {
      sideways = true;
      return this;
    }

    /** Names for x = 0, 1, 2, ... */
    public Builder categories(List<String> names) {
      categories = Optional.of(List.copyOf(names));
      return this;
    }

    /** Ends of the y axis; as the data has them otherwise. */
    public Builder yRange(double low, double high) {
      yLow = OptionalDouble.of(low);
      yHigh = OptionalDouble.of(high);
      return this;
    }

    /** Markers joined by a line. */
    public Builder line(String name, double[] x, double[] y) {
      return add(name, Kind.LINE, x, y, new double[0], new double[0]);
    }

    /** Markers joined by a line, with error bars from low to high (y values). */
    public Builder line(String name, double[] x, double[] y, double[] low, double[] high) {
      return add(name, Kind.LINE, x, y, low, high);
    }

    /** A line in a shaded band from low to high. */
    public Builder band(String name, double[] x, double[] y, double[] low, double[] high) {
      return add(name, Kind.BAND, x, y, low, high);
    }

    /** Markers only. */
    public Builder scatter(String name, double[] x, double[] y) {
      return add(name, Kind.SCATTER, x, y, new double[0], new double[0]);
    }

    /** Markers with error bars. */
    public Builder scatter(String name, double[] x, double[] y, double[] low, double[] high) {
      return add(name, Kind.SCATTER, x, y, low, high);
    }

    /** Bars from 0; several such series stand side by side. A histogram: x the bins' middles. */
    public Builder bars(String name, double[] x, double[] y) {
      return add(name, Kind.BARS, x, y, new double[0], new double[0]);
    }

    /** Bars from low to high. */
    public Builder ranges(String name, double[] x, double[] low, double[] high) {
      return add(name, Kind.RANGES, x, low, low, high);
    }

    /** A straight line through the plot at a y value. */
    public Builder reference(String name, double y) {
      references.add(new Reference(name, y));
      return this;
    }

    private Builder add(
        String name, Kind kind, double[] x, double[] y, double[] low, double[] high) {
      boolean plain = low.length == 0 && high.length == 0;
      if (x.length != y.length || !plain && (low.length != x.length || high.length != x.length)) {
        throw new IllegalArgumentException(
            "series '%s': %d x, %d y, %d low, %d high; expected as many of each"
                .formatted(name, x.length, y.length, low.length, high.length));
      }
      series.add(new Series(name, kind, x, y, low, high));
      return this;
    }

    public Plot build() {
      return new Plot(this);
    }
  }

  public String title() {
    return b.title;
  }

  public String description() {
    return b.description;
  }

  public int width() {
    return b.width;
  }

  public int height() {
    return b.height;
  }

  String xLabel() {
    return b.xLabel;
  }

  String yLabel() {
    return b.yLabel;
  }

  boolean isSideways() {
    return b.sideways;
  }

  OptionalDouble yLow() {
    return b.yLow;
  }

  OptionalDouble yHigh() {
    return b.yHigh;
  }

  Optional<List<String>> categories() {
    return b.categories;
  }

  List<Series> series() {
    return b.series;
  }

  List<Reference> references() {
    return b.references;
  }

  boolean isEmpty() {
    return b.series.stream().allMatch(s -> Arrays.stream(s.y()).noneMatch(Double::isFinite));
  }

  /**
   * An {@code <svg>} element to put into a page, without the visible title. Colours are the
   * variables of {@link #css}; ids begin with a word made of the title.
   *
   * @throws SecateurException when Java cannot lay out text on this machine
   */
  public String svg() {
    return Svg.inline(this);
  }

  /** The CSS that gives inlined plots their light and dark colours. */
  public static String css() {
    return Palette.css(":root");
  }

  /** Writes an SVG file of its own, with title, light and dark. */
  public void writeSvg(Path file) {
    AtomicFile.write(file, Svg.standalone(this));
  }

  /** Writes a PNG of twice the size, on white. */
  public void writePng(Path file) {
    BufferedImage image =
        new BufferedImage(b.width * PNG_SCALE, b.height * PNG_SCALE, BufferedImage.TYPE_INT_RGB);
    Chart chart = new Chart(this, true);
    Graphics2D g = image.createGraphics();
    g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    g.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    g.setPaint(Palette.PAPER.color());
    g.fillRect(0, 0, image.getWidth(), image.getHeight());
    g.scale(PNG_SCALE, PNG_SCALE);
    chart.draw(g, new Rectangle2D.Double(0, 0, b.width, b.height));
    g.dispose();
    AtomicFile.write(file, out -> ImageIO.write(image, "png", out));
  }
}
