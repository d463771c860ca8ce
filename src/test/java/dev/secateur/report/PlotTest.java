package dev.secateur.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class PlotTest {
  private static final double[] X = {0, 1, 2};

  private static Plot.Builder plot(String title) {
    return Plot.of(title, "MACs <m>", "top-1 & more")
        .description("falls \"slowly\"")
        .line(
            "tuned",
            X,
            new double[] {91, 90, 88},
            new double[] {90, 89, 87},
            new double[] {92, 91, 89})
        .band(
            "seeds",
            X,
            new double[] {90, 85, 80},
            new double[] {89, 84, 79},
            new double[] {91, 86, 81})
        .scatter("pruned", X, new double[] {91, 70, Double.NaN})
        .reference("<b>original</b>", 91);
  }

  private static Document parse(String xml) throws Exception {
    DocumentBuilderFactory f = DocumentBuilderFactory.newInstance();
    f.setNamespaceAware(true);
    return f.newDocumentBuilder().parse(new InputSource(new StringReader(xml)));
  }

  private static String texts(Document svg) {
    StringBuilder all = new StringBuilder();
    NodeList texts = svg.getElementsByTagNameNS("*", "text");
    for (int i = 0; i < texts.getLength(); i++) {
      all.append(texts.item(i).getTextContent()).append('\n');
    }
    return all.toString();
  }

  @Test
  void textStaysTextAndIsEscaped() throws Exception {
    String text = texts(parse(plot("a <script> & b").build().svg()));
    for (String part : List.of("MACs <m>", "top-1 & more", "tuned", "seeds", "<b>original</b>")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
    assertFalse(text.contains("<script>"), "the page has the title already");
  }

  @Test
  void screenReadersGetTitleAndDescription() throws Exception {
    Element root = parse(plot("a <script> & b").build().svg()).getDocumentElement();
    assertEquals("img", root.getAttribute("role"));
    assertEquals(
        "a <script> & b", root.getElementsByTagNameNS("*", "title").item(0).getTextContent());
    assertEquals(
        "falls \"slowly\"", root.getElementsByTagNameNS("*", "desc").item(0).getTextContent());
    Set<String> ids = new HashSet<>();
    NodeList all = root.getElementsByTagNameNS("*", "*");
    for (int i = 0; i < all.getLength(); i++) {
      ids.add(((Element) all.item(i)).getAttribute("id"));
    }
    for (String id : root.getAttribute("aria-labelledby").split(" ")) {
      assertTrue(ids.contains(id), id);
    }
  }

  @Test
  void everyColourIsAVariable() throws Exception {
    String svg =
        plot("colours").bars("b", X, X).ranges("r", X, X, new double[] {1, 2, 3}).build().svg();
    assertFalse(svg.contains("rgb("), svg);
    for (int i = 1; i <= 5; i++) {
      assertTrue(svg.contains("var(--plot-" + i + ","), "series " + i);
    }
  }

  @Test
  void twoPlotsInOnePageShareNoIds() {
    Set<String> first = ids(plot("one").build().svg());
    Set<String> second = ids(plot("two").build().svg());
    assertTrue(first.size() > 2);
    first.retainAll(second);
    assertEquals(Set.of(), first);
  }

  private static Set<String> ids(String svg) {
    Set<String> ids = new HashSet<>();
    java.util.regex.Matcher m = java.util.regex.Pattern.compile(" id=\"([^\"]+)\"").matcher(svg);
    while (m.find()) {
      ids.add(m.group(1));
    }
    return ids;
  }

  @Test
  void filesStandAlone(@TempDir Path dir) throws Exception {
    Plot p =
        plot("Widths by layer").categories(List.of("conv1", "conv2", "conv3")).sideways().build();
    p.writeSvg(dir.resolve("p.svg"));
    p.writePng(dir.resolve("p.png"));
    String svg = Files.readString(dir.resolve("p.svg"));
    String text = texts(parse(svg));
    assertTrue(text.contains("Widths by layer") && text.contains("conv2"), text);
    assertTrue(svg.contains("prefers-color-scheme:dark"));
    BufferedImage png = ImageIO.read(dir.resolve("p.png").toFile());
    assertEquals(2 * p.width(), png.getWidth());
    Set<Integer> colours = new HashSet<>();
    for (int x = 0; x < png.getWidth(); x++) {
      for (int y = 0; y < png.getHeight(); y++) {
        colours.add(png.getRGB(x, y) & 0xffffff);
      }
    }
    assertTrue(colours.contains(Palette.series(0).light()), "the first series is drawn");
    assertTrue(colours.contains(Palette.series(2).light()), "the third series is drawn");
  }

  @Test
  void seriesDifferByMoreThanColour() {
    String svg = Plot.of("m", "x", "y").scatter("a", X, X).scatter("b", X, X).build().svg();
    assertEquals(Set.of(false), rounded(svg, "--plot-1,"), "squares");
    assertEquals(Set.of(true), rounded(svg, "--plot-2,"), "circles");
  }

  /** Whether the marks of a colour have curves. */
  private static Set<Boolean> rounded(String svg, String colour) {
    Set<Boolean> out = new HashSet<>();
    for (String tag : svg.split("<")) {
      if (tag.startsWith("path") && tag.contains("fill:var(" + colour)) {
        out.add(tag.matches("(?s).* d=\"[^\"]*[CQ].*"));
      }
    }
    return out;
  }

  @Test
  void unequalLengthsAreRefused() {
    assertNotEquals(
        "",
        assertThrows(
                IllegalArgumentException.class,
                () -> Plot.of("t", "x", "y").line("a", X, new double[] {1}))
            .getMessage());
  }
}
