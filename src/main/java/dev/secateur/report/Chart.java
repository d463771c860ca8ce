package dev.secateur.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.Shape;
import java.awt.Stroke;
import java.awt.geom.AffineTransform;
import java.awt.geom.Line2D;
import java.awt.geom.Rectangle2D;
import java.util.Arrays;
import java.util.List;
import org.jfree.chart.JFreeChart;
import org.jfree.chart.LegendItem;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.AxisLocation;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.SymbolAxis;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.block.BlockBorder;
import org.jfree.chart.plot.DatasetRenderingOrder;
import org.jfree.chart.plot.DefaultDrawingSupplier;
import org.jfree.chart.plot.PlotOrientation;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.AbstractXYItemRenderer;
import org.jfree.chart.renderer.xy.DeviationRenderer;
import org.jfree.chart.renderer.xy.StandardXYBarPainter;
import org.jfree.chart.renderer.xy.XYBarRenderer;
import org.jfree.chart.renderer.xy.XYErrorRenderer;
import org.jfree.chart.text.TextUtils;
import org.jfree.chart.title.LegendTitle;
import org.jfree.chart.ui.HorizontalAlignment;
import org.jfree.chart.ui.RectangleEdge;
import org.jfree.chart.ui.RectangleInsets;
import org.jfree.data.xy.XYIntervalSeries;
import org.jfree.data.xy.XYIntervalSeriesCollection;

/** A plot as JFreeChart draws it. */
final class Chart {
  private static final float TEXT = 14;
  private static final float TITLE = 15;

  /** A cluster of bars takes this part of the distance between its neighbours. */
  private static final double BARS = 0.76;

  /**
   * The y axis spans at least this part of the largest value: a single point gets no 1E-7 ticks.
   */
  private static final double LEAST_RANGE = 0.01;

  private static final Shape[] MARKERS = DefaultDrawingSupplier.DEFAULT_SHAPE_SEQUENCE;
  private static final List<float[]> DASHES =
      List.of(new float[] {1, 0}, new float[] {7, 3}, new float[] {2, 3}, new float[] {8, 3, 2, 3});

  private final Plot plot;
  private final JFreeChart chart;

  private static final List<float[]> REFERENCES =
      List.of(new float[] {5, 4}, new float[] {2, 2}, new float[] {9, 3, 2, 3});

  /**
   * @param titled whether the title is drawn
   */
  Chart(Plot plot, boolean titled) {
    this.plot = plot;
    TextUtils.setUseDrawRotatedStringWorkaround(false); // it would turn text into outlines
    Font font = Fonts.of(TEXT);
    XYPlot xy = new XYPlot();
    xy.setOrientation(plot.isSideways() ? PlotOrientation.HORIZONTAL : PlotOrientation.VERTICAL);
    xy.setDomainAxis(style(xAxis(), font));
    xy.setRangeAxis(style(yAxis(), font));
    if (plot.isSideways()) {
      xy.setRangeAxisLocation(AxisLocation.BOTTOM_OR_LEFT);
    }
    xy.setBackgroundPaint(null);
    xy.setOutlineVisible(false);
    xy.setDomainGridlinesVisible(plot.categories().isEmpty());
    xy.setDomainGridlinePaint(Palette.GRID.color());
    xy.setRangeGridlinePaint(Palette.GRID.color());
    xy.setDomainGridlineStroke(new BasicStroke(1));
    xy.setRangeGridlineStroke(new BasicStroke(1));
    xy.setDatasetRenderingOrder(DatasetRenderingOrder.FORWARD);
    addSeries(xy);
    addReferences(xy);
    chart = new JFreeChart(titled ? plot.title() : null, Fonts.of(TITLE), xy, false);
    chart.setBackgroundPaint(null);
    chart.setPadding(new RectangleInsets(4, 4, 4, 12));
    chart.setAntiAlias(true);
    if (titled) {
      chart.getTitle().setPaint(Palette.INK.color());
      chart.getTitle().setHorizontalAlignment(HorizontalAlignment.LEFT);
    }
    if (plot.series().size() + plot.references().size() > 1) {
      chart.addLegend(legend(xy, font));
    }
  }

  void draw(Graphics2D g, Rectangle2D area) {
    chart.draw(g, area);
  }

  private ValueAxis xAxis() {
    if (plot.categories().isPresent()) {
      SymbolAxis names =
          new SymbolAxis(plot.xLabel(), plot.categories().get().toArray(String[]::new));
      names.setGridBandsVisible(false);
      names.setInverted(plot.isSideways());
      return names;
    }
    NumberAxis axis = new NumberAxis(plot.xLabel());
    axis.setAutoRangeIncludesZero(false);
    boolean whole =
        plot.series().stream()
            .flatMapToDouble(s -> Arrays.stream(s.x()))
            .allMatch(v -> v == Math.rint(v));
    if (whole) {
      axis.setStandardTickUnits(NumberAxis.createIntegerTickUnits());
    }
    return axis;
  }

  private NumberAxis yAxis() {
    NumberAxis axis = new NumberAxis(plot.yLabel());
    axis.setAutoRangeIncludesZero(plot.series().stream().anyMatch(s -> s.kind() == Plot.Kind.BARS));
    double most =
        plot.series().stream()
            .flatMapToDouble(s -> Arrays.stream(s.y()))
            .filter(Double::isFinite)
            .map(Math::abs)
            .max()
            .orElse(1);
    axis.setAutoRangeMinimumSize(Math.max(1e-9, LEAST_RANGE * most));
    if (plot.yLow().isPresent() && plot.yHigh().isPresent()) {
      axis.setRange(plot.yLow().getAsDouble(), plot.yHigh().getAsDouble());
    }
    return axis;
  }

  private static ValueAxis style(ValueAxis axis, Font font) {
    Color ink = Palette.INK.color();
    axis.setLabelFont(font);
    axis.setTickLabelFont(font);
    axis.setLabelPaint(ink);
    axis.setTickLabelPaint(ink);
    axis.setAxisLinePaint(ink);
    axis.setTickMarkPaint(ink);
    return axis;
  }

  private void addSeries(XYPlot xy) {
    int clustered = (int) plot.series().stream().filter(s -> s.kind() == Plot.Kind.BARS).count();
    int cluster = 0;
    for (int i = 0; i < plot.series().size(); i++) {
      Plot.Series s = plot.series().get(i);
      double width = BARS * spacing(s.x()) / Math.max(1, clustered);
      double left = -width / 2;
      if (s.kind() == Plot.Kind.BARS) {
        left = (cluster++ - clustered / 2.0) * width;
      }
      boolean bars = s.kind() == Plot.Kind.BARS || s.kind() == Plot.Kind.RANGES;
      XYIntervalSeries data = new XYIntervalSeries(s.name(), false, true);
      for (int j = 0; j < s.x().length; j++) {
        double x = s.x()[j];
        double y = s.y()[j];
        double low = s.low().length > 0 ? s.low()[j] : s.kind() == Plot.Kind.BARS ? 0 : y;
        double high = s.high().length > 0 ? s.high()[j] : y;
        if (Double.isFinite(x) && Double.isFinite(y)) {
          data.add(x, bars ? x + left : x, bars ? x + left + width : x, y, low, high);
        }
      }
      XYIntervalSeriesCollection collection = new XYIntervalSeriesCollection();
      collection.addSeries(data);
      xy.setDataset(i, collection);
      xy.setRenderer(i, renderer(s, i));
    }
  }

  /** The least distance between two x values, 1 for a single one. */
  private static double spacing(double[] x) {
    double[] sorted = Arrays.stream(x).sorted().distinct().toArray();
    double least = Double.POSITIVE_INFINITY;
    for (int i = 1; i < sorted.length; i++) {
      least = Math.min(least, sorted[i] - sorted[i - 1]);
    }
    return Double.isFinite(least) ? least : 1;
  }

  private static AbstractXYItemRenderer renderer(Plot.Series s, int i) {
    Color full = Palette.series(i).color();
    boolean ranges = s.kind() == Plot.Kind.RANGES;
    Color color = ranges ? new Color(full.getRed(), full.getGreen(), full.getBlue(), 90) : full;
    AbstractXYItemRenderer r =
        switch (s.kind()) {
          case BARS, RANGES -> {
            XYBarRenderer bars = new XYBarRenderer();
            bars.setBarPainter(new StandardXYBarPainter());
            bars.setShadowVisible(false);
            bars.setUseYInterval(ranges);
            bars.setDrawBarOutline(false);
            bars.setLegendBar(new Rectangle2D.Double(-6, -5, 12, 10));
            yield bars;
          }
          case BAND -> {
            DeviationRenderer band = new DeviationRenderer(true, false);
            band.setSeriesFillPaint(0, color);
            band.setAlpha(0.25f);
            yield band;
          }
          case LINE, SCATTER -> {
            XYErrorRenderer points = new XYErrorRenderer();
            points.setDefaultLinesVisible(s.kind() == Plot.Kind.LINE);
            points.setDefaultShapesVisible(true);
            points.setDrawXError(false);
            points.setDrawYError(s.low().length > 0);
            points.setErrorPaint(color);
            points.setErrorStroke(new BasicStroke(1.5f));
            points.setDrawSeriesLineAsPath(true);
            yield points;
          }
        };
    double scale = s.kind() == Plot.Kind.SCATTER && s.x().length > 200 ? 0.8 : 1.1;
    r.setSeriesShape(
        0,
        AffineTransform.getScaleInstance(scale, scale)
            .createTransformedShape(MARKERS[i % MARKERS.length]));
    r.setSeriesPaint(0, color);
    Stroke stroke =
        new BasicStroke(
            2,
            BasicStroke.CAP_BUTT,
            BasicStroke.JOIN_ROUND,
            1,
            i % DASHES.size() == 0 ? null : DASHES.get(i % DASHES.size()),
            0);
    r.setSeriesStroke(0, stroke);
    return r;
  }

  private void addReferences(XYPlot xy) {
    for (int i = 0; i < plot.references().size(); i++) {
      Plot.Reference r = plot.references().get(i);
      xy.addRangeMarker(new ValueMarker(r.y(), Palette.INK.color(), referenceStroke(i)));
    }
  }

  private static Stroke referenceStroke(int i) {
    float[] dash = REFERENCES.get(i % REFERENCES.size());
    return new BasicStroke(1.5f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 1, dash, 0);
  }

  /** Below the plot, where it covers nothing; straight lines are named there too. */
  private LegendTitle legend(XYPlot xy, Font font) {
    LegendItemCollection items = xy.getLegendItems();
    for (int i = 0; i < plot.references().size(); i++) {
      LegendItem line = new LegendItem(plot.references().get(i).name());
      line.setShapeVisible(false);
      line.setLineVisible(true);
      line.setLine(new Line2D.Double(-9, 0, 9, 0));
      line.setLineStroke(referenceStroke(i));
      line.setLinePaint(Palette.INK.color());
      items.add(line);
    }
    LegendTitle legend = new LegendTitle(() -> items);
    legend.setItemFont(font);
    legend.setItemPaint(Palette.INK.color());
    legend.setItemLabelPadding(new RectangleInsets(2, 3, 2, 8));
    legend.setBackgroundPaint(null);
    legend.setFrame(BlockBorder.NONE);
    legend.setPosition(RectangleEdge.BOTTOM);
    return legend;
  }
}
