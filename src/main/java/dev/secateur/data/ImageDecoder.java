package dev.secateur.data;

import com.twelvemonkeys.imageio.stream.ByteArrayImageInputStream;
import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.IOException;
import java.util.Optional;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;

/**
 * Decodes JPEG and PNG files to RGB or luma as Pillow's {@code convert} does: colour profiles,
 * orientation and alpha are ignored. Of 16-bit samples the high byte counts. Keeps its buffers; not
 * safe for several threads.
 */
final class ImageDecoder {
  private static final long MOST_PIXELS = 178_956_970; // Pillow's limit
  private static final int HALF = 1 << 15;

  private final TurboJpeg turbo = new TurboJpeg();
  private final ImageReader jpeg = reader("jpeg");
  private final ImageReader png = reader("png");
  private byte[] pixels = {};
  private int width;
  private int height;
  private int[] row = {};

  private static ImageReader reader(String format) {
    return ImageIO.getImageReadersByFormatName(format).next();
  }

  /** H*W*C bytes of the image decoded last, from index 0. */
  byte[] pixels() {
    return pixels;
  }

  int width() {
    return width;
  }

  int height() {
    return height;
  }

  /**
   * @param channels 3 for RGB, 1 for luma
   * @param view which part will be read
   * @param least what the smaller side of that part is to have at the least, however much smaller
   *     the image may be decoded; 0: it is decoded in its own size
   * @return where that part is in what was decoded
   * @throws IOException or a RuntimeException for a file that is damaged or of another format
   */
  Region decode(byte[] file, int channels, View view, int least) throws IOException {
    if (FileCheck.png(file)) {
      decode(png, file, channels, Optional.empty());
      return view.of(width, height);
    }
    if (!FileCheck.jpeg(file)) {
      throw new IOException("neither JPEG nor PNG");
    }
    Jpeg header = Jpeg.of(file, false);
    if (header.components() != 1 && header.components() != 3) {
      decode(jpeg, file, channels, Optional.of(header.colours()));
      return view.of(width, height);
    }
    require(header.width(), header.height());
    Region wanted = view.of(header.width(), header.height());
    int reduced = least == 0 ? 1 : reduction(wanted, least);
    turbo.decode(file, header.components(), reduced);
    width = turbo.width();
    height = turbo.height();
    if (reduced == 1 && (width != header.width() || height != header.height())) {
      throw new IOException("size differs from the header's");
    }
    room(channels);
    turbo.copy(pixels, channels);
    return reduced == 1 ? wanted : wanted.reduced(reduced, width, height);
  }

  /** The largest of 1, 2, 4 and 8 that leaves a region's smaller side what it is to have. */
  private static int reduction(Region r, int least) {
    int n = 8;
    while (n > 1 && Math.min(r.width(), r.height()) / n < least) {
      n /= 2;
    }
    return n;
  }

  private static void require(int width, int height) throws IOException {
    if ((long) width * height > MOST_PIXELS) {
      throw new IOException(width + "x" + height + " pixels are too many");
    }
  }

  private void room(int channels) {
    int size = Math.multiplyExact(channels, width * height);
    if (pixels.length < size) {
      pixels = new byte[size];
    }
  }

  private void decode(ImageReader reader, byte[] file, int channels, Optional<Jpeg.Colours> colours)
      throws IOException {
    try (ByteArrayImageInputStream in = new ByteArrayImageInputStream(file)) {
      reader.setInput(in, true, true);
      width = reader.getWidth(0);
      height = reader.getHeight(0);
      require(width, height);
      room(channels);
      if (colours.isPresent()) {
        convert(reader.readRaster(0, null), colours.get(), Optional.empty(), channels);
      } else {
        BufferedImage image = reader.read(0);
        Raster r = image.getRaster();
        Jpeg.Colours c = r.getNumBands() < 3 ? Jpeg.Colours.GRAY : Jpeg.Colours.RGB;
        Optional<int[]> palette = Optional.empty();
        if (image.getColorModel() instanceof IndexColorModel m) {
          int[] entries = new int[m.getMapSize()];
          m.getRGBs(entries);
          palette = Optional.of(entries);
        }
        convert(r, c, palette, channels);
      }
    } finally {
      reader.reset();
    }
  }

  private void convert(Raster r, Jpeg.Colours colours, Optional<int[]> palette, int channels)
      throws IOException {
    int bands = r.getNumBands();
    if (r.getWidth() != width || r.getHeight() != height) {
      throw new IOException("size differs from the header's");
    }
    int needed =
        switch (colours) {
          case GRAY -> 1;
          case RGB, YCC -> 3;
          case CMYK, YCCK -> 4;
        };
    if (bands < needed) {
      throw new IOException(bands + " channels");
    }
    int shift = r.getSampleModel().getDataType() == DataBuffer.TYPE_USHORT ? 8 : 0;
    if (row.length < width * bands) {
      row = new int[width * bands];
    }
    for (int y = 0; y < height; y++) {
      r.getPixels(r.getMinX(), r.getMinY() + y, width, 1, row);
      for (int i = 0; shift > 0 && i < width * bands; i++) {
        row[i] >>= shift;
      }
      for (int x = 0; x < width; x++) {
        int rgb = palette.isPresent() ? palette.get()[row[x * bands]] : rgb(colours, x * bands);
        int at = (y * width + x) * channels;
        if (channels == 3) {
          pixels[at] = (byte) (rgb >> 16);
          pixels[at + 1] = (byte) (rgb >> 8);
          pixels[at + 2] = (byte) rgb;
        } else {
          pixels[at] = luma(rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255);
        }
      }
    }
  }

  private int rgb(Jpeg.Colours colours, int at) {
    int a = row[at];
    return switch (colours) {
      case GRAY -> a << 16 | a << 8 | a;
      case RGB -> a << 16 | row[at + 1] << 8 | row[at + 2];
      case YCC -> ycc(a, row[at + 1], row[at + 2]);
      // Pillow takes all CMYK as inverted, as Adobe writes it
      case CMYK -> inked(255 - a, 255 - row[at + 1], 255 - row[at + 2], row[at + 3]);
      case YCCK -> {
        int ink = ycc(a, row[at + 1], row[at + 2]);
        yield inked(ink >> 16, ink >> 8 & 255, ink & 255, row[at + 3]);
      }
    };
  }

  /** libjpeg's integers. */
  private static int ycc(int y, int cb, int cr) {
    int u = cb - 128;
    int v = cr - 128;
    int r = y + (91881 * v + HALF >> 16);
    int g = y + (-22554 * u - 46802 * v + HALF >> 16);
    int b = y + (116130 * u + HALF >> 16);
    return clip(r) << 16 | clip(g) << 8 | clip(b);
  }

  private static int inked(int c, int m, int y, int light) {
    return light - scaled(c, light) << 16
        | light - scaled(m, light) << 8
        | light - scaled(y, light);
  }

  private static int scaled(int a, int b) {
    int t = a * b + 128;
    return (t >> 8) + t >> 8;
  }

  /** Pillow's luma of RGB. */
  static byte luma(int r, int g, int b) {
    return (byte) (r * 19595 + g * 38470 + b * 7471 + HALF >> 16);
  }

  private static int clip(int v) {
    return Math.max(0, Math.min(255, v));
  }
}
