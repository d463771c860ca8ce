package dev.secateur.data;

/**
 * What a JPEG's markers say.
 *
 * @param width of the frame, as height and components; 0 where there is no frame
 * @param whole an end marker was found
 */
record Jpeg(int width, int height, int components, Colours colours, boolean whole) {
  /** What the components are, told as libjpeg does. */
  enum Colours {
    GRAY,
    RGB,
    YCC,
    CMYK,
    YCCK
  }

  private static final int SOI = 0xd8;
  private static final int EOI = 0xd9;
  private static final int SOS = 0xda;
  private static final int JFIF = 0xe0;
  private static final int ADOBE = 0xee;

  /** Walks the markers, past the compressed data only when the end is sought. */
  static Jpeg of(byte[] b, boolean toTheEnd) {
    int width = 0;
    int height = 0;
    int components = 0;
    int ids = 0;
    boolean jfif = false;
    int adobe = -1;
    boolean whole = false;
    int at = 2;
    while (at + 1 < b.length) {
      int marker = b[at + 1] & 255;
      if (b[at] != -1 || marker == 0xff || marker == 0) {
        at++;
        continue;
      }
      if (marker == EOI) {
        whole = true;
        break;
      }
      at += 2;
      if (marker == SOI || marker == 1 || marker >= 0xd0 && marker <= 0xd7) {
        continue;
      }
      if (at + 1 >= b.length) {
        break;
      }
      int length = (b[at] & 255) << 8 | b[at + 1] & 255;
      boolean inside = at + length <= b.length;
      if (marker == JFIF && inside && length >= 7 && text(b, at + 2, "JFIF")) {
        jfif = true;
      } else if (marker == ADOBE && inside && length >= 14 && text(b, at + 2, "Adobe")) {
        adobe = b[at + 13] & 255;
      } else if (frame(marker) && inside && length >= 8) {
        height = (b[at + 3] & 255) << 8 | b[at + 4] & 255;
        width = (b[at + 5] & 255) << 8 | b[at + 6] & 255;
        components = b[at + 7] & 255;
        for (int i = 0; i < components && 8 + 3 * i < length; i++) {
          ids = ids << 8 | b[at + 8 + 3 * i] & 255;
        }
      } else if (marker == SOS && !toTheEnd) {
        break;
      }
      // after SOS the walk goes through compressed data, in which 0xff is followed by 0 or RST
      at += Math.max(2, length);
    }
    return new Jpeg(width, height, components, colours(components, ids, jfif, adobe), whole);
  }

  private static boolean frame(int marker) {
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
  }

  private static Colours colours(int components, int ids, boolean jfif, int adobe) {
    return switch (components) {
      case 3 -> {
        boolean rgb = adobe >= 0 ? adobe == 0 : ids == ('R' << 16 | 'G' << 8 | 'B');
        yield !jfif && rgb ? Colours.RGB : Colours.YCC;
      }
      case 4 -> adobe > 0 ? Colours.YCCK : Colours.CMYK;
      default -> Colours.GRAY;
    };
  }

  private static boolean text(byte[] b, int at, String text) {
    for (int i = 0; i < text.length(); i++) {
      if (b[at + i] != text.charAt(i)) {
        return false;
      }
    }
    return true;
  }
}
