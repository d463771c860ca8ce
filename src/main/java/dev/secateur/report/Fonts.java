package dev.secateur.report;

import dev.secateur.SecateurException;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The font that plots are laid out with. It comes with the program, so that a server without fonts
 * draws the same plots as a desktop: Java is told of it by {@code sun.awt.fontconfig} before the
 * first drawing.
 */
final class Fonts {
  private static final String FILE = "LiberationSans-Regular.ttf";

  /** For CSS: fonts of the same widths first. */
  static final String CSS = "'Liberation Sans',Arimo,Arial,Helvetica,sans-serif";

  private Fonts() {}

  private static final class Loaded {
    static final Font FONT = load();
  }

  /**
   * @param size in pixels
   * @throws SecateurException when Java cannot draw text on this machine
   */
  static Font of(float size) {
    try {
      return Loaded.FONT.deriveFont(size);
    } catch (LinkageError e) {
      throw new SecateurException(
          "Java cannot draw text here ("
              + (e.getCause() == null ? e : e.getCause())
              + "): plots need the libraries libfreetype6 and libfontconfig1",
          e);
    }
  }

  private static Font load() {
    System.setProperty("java.awt.headless", "true");
    try {
      Path folder = Files.createTempDirectory("secateur-font");
      Path font = folder.resolve(FILE);
      Path list = folder.resolve("fontconfig.properties");
      folder.toFile().deleteOnExit();
      font.toFile().deleteOnExit();
      list.toFile().deleteOnExit();
      try (InputStream in = Fonts.class.getResourceAsStream(FILE)) {
        Files.copy(in, font);
      }
      Files.writeString(
          list,
          "version=1\nsequence.allfonts=latin-1\nallfonts.latin-1=Liberation Sans\n"
              + "filename.Liberation_Sans="
              + font.toString().replace("\\", "\\\\")
              + "\n");
      if (System.getProperty("sun.awt.fontconfig") == null) {
        System.setProperty("sun.awt.fontconfig", list.toString());
      }
      Font loaded = Font.createFont(Font.TRUETYPE_FONT, font.toFile());
      Graphics2D g = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB).createGraphics();
      g.getFontMetrics(loaded).stringWidth("text"); // fails now or never
      g.dispose();
      return loaded;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (java.awt.FontFormatException e) {
      throw new IllegalStateException(FILE + " of the program itself is damaged", e);
    }
  }
}
