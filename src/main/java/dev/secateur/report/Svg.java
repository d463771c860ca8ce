package dev.secateur.report;

import java.awt.Dimension;
import java.awt.geom.Rectangle2D;
import java.io.StringWriter;
import java.util.Locale;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.apache.batik.svggen.SVGGraphics2D;
import org.apache.batik.svggen.SVGGraphics2DIOException;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** Plots as SVG text, whose colours are CSS variables and whose text stays text. */
final class Svg {
  private static final String NAMESPACE = "http://www.w3.org/2000/svg";

  private Svg() {}

  static String inline(Plot plot) {
    return draw(plot, false);
  }

  static String standalone(Plot plot) {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + draw(plot, true);
  }

  private static String draw(Plot plot, boolean alone) {
    Chart chart = new Chart(plot, alone);
    SVGGraphics2D g = new SVGGraphics2D(document());
    g.setSVGCanvasSize(new Dimension(plot.width(), plot.height()));
    chart.draw(g, new Rectangle2D.Double(0, 0, plot.width(), plot.height()));
    Element root = g.getRoot();
    label(root, plot, alone);
    StringWriter out = new StringWriter();
    try {
      g.stream(root, out, true, false);
    } catch (SVGGraphics2DIOException e) {
      throw new IllegalStateException(e);
    }
    String text = out.toString();
    return recolour(text.substring(text.indexOf("<svg")), id(plot));
  }

  private static Document document() {
    try {
      return DocumentBuilderFactory.newInstance()
          .newDocumentBuilder()
          .getDOMImplementation()
          .createDocument(NAMESPACE, "svg", null);
    } catch (ParserConfigurationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Size, name and description: what a screen reader says of the picture. */
  private static void label(Element root, Plot plot, boolean alone) {
    Document doc = root.getOwnerDocument();
    String id = id(plot);
    root.setAttribute("viewBox", "0 0 " + plot.width() + " " + plot.height());
    root.setAttribute("role", "img");
    root.setAttribute("aria-labelledby", id + "-title " + id + "-desc");
    root.setAttribute("font-family", Fonts.CSS);
    Element title = doc.createElementNS(NAMESPACE, "title");
    title.setAttribute("id", id + "-title");
    title.setTextContent(plot.title());
    Element description = doc.createElementNS(NAMESPACE, "desc");
    description.setAttribute("id", id + "-desc");
    description.setTextContent(plot.description());
    root.insertBefore(description, root.getFirstChild());
    root.insertBefore(title, description);
    if (alone) {
      Element style = doc.createElementNS(NAMESPACE, "style");
      style.setTextContent(Palette.css("svg") + "svg{background:" + Palette.PAPER.css() + "}");
      root.insertBefore(style, description.getNextSibling());
    }
  }

  /** A word for ids, from the title. */
  static String id(Plot plot) {
    String word = plot.title().toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-");
    return "plot-" + word.replaceAll("^-|-$", "");
  }

  /** The palette's colours become variables, the generator's ids the plot's own. */
  private static String recolour(String svg, String id) {
    String out = svg.replace("font-family:'Liberation Sans';", "font-family:" + Fonts.CSS + ";");
    for (Palette.Entry e : Palette.all()) {
      out =
          out.replace(
              "rgb(%d,%d,%d)"
                  .formatted(e.color().getRed(), e.color().getGreen(), e.color().getBlue()),
              e.css());
    }
    return out.replaceAll("\\b(clipPath|defs|genericDefs)(\\d*)(?=[\")])", id + "-$1$2");
  }
}
