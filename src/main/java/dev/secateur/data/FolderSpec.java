package dev.secateur.data;

import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.tensor.Shape;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What {@code folder:DIR?size=S&resize=R&channels=C&cache=FOLDER&classes=FILE} says, and other
 * kinds of image files likewise.
 *
 * @param place the folder, or a list of files
 * @param resize what the shorter side becomes before the centre crop; at least height and width
 * @param cache where decoded images are kept
 * @param classes a file with a class's name a line, in the order of the network's outputs
 */
record FolderSpec(
    Path place,
    int channels,
    int height,
    int width,
    int resize,
    Optional<Path> cache,
    Optional<Path> classes) {
  private static final int SIZE = 224;
  private static final int LARGEST = 1 << 14;

  /** From here on images lose a margin to the crop, as is usual for ImageNet's 256 to 224. */
  private static final int MARGIN_FROM = 64;

  /**
   * @param kind such as {@code folder}
   * @param text after the kind's colon
   * @param wanted the network's input (C,H,W), for what the text leaves open
   */
  static FolderSpec of(String kind, String text, Optional<Shape> wanted) {
    int mark = text.lastIndexOf('?');
    String spec = kind + ":" + text;
    Path place = Path.of(mark < 0 ? text : text.substring(0, mark));
    int channels = wanted.map(s -> s.size(0)).orElse(3);
    int height = wanted.map(s -> s.size(1)).orElse(SIZE);
    int width = wanted.map(s -> s.size(2)).orElse(SIZE);
    int resize = 0;
    Optional<Path> cache = Optional.empty();
    Optional<Path> classes = Optional.empty();
    for (String option : mark < 0 ? new String[0] : text.substring(mark + 1).split("&")) {
      int equals = option.indexOf('=');
      String name = equals < 0 ? option : option.substring(0, equals);
      String value = option.substring(equals + 1);
      boolean classified = kind.equals("folder") || kind.equals("tar");
      switch (name) {
        case "size" -> {
          height = number(spec, option, value);
          width = height;
        }
        case "resize" -> resize = number(spec, option, value);
        case "channels" -> channels = number(spec, option, value);
        case "cache" -> cache = Optional.of(path(spec, option, value, true));
        case "classes" -> classes = Optional.of(path(spec, option, value, classified));
        default -> throw wrong(spec, option);
      }
    }
    int larger = Math.max(height, width);
    if (resize == 0) {
      resize = larger < MARGIN_FROM ? larger : Math.round(larger * 256f / 224f);
    }
    if (resize < larger) {
      throw new SettingException(
          "data", spec + ": resize=" + resize + " is less than the size, " + larger);
    }
    if (channels != 1 && channels != 3) {
      throw new SettingException("data", spec + ": images have 1 or 3 channels, not " + channels);
    }
    return new FolderSpec(place, channels, height, width, resize, cache, classes);
  }

  private static Path path(String spec, String option, String value, boolean allowed) {
    if (!allowed || value.isEmpty()) {
      throw wrong(spec, option);
    }
    return Path.of(value);
  }

  private static int number(String spec, String option, String value) {
    try {
      int n = Integer.parseInt(value);
      if (n > 0 && n <= LARGEST) {
        return n;
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw wrong(spec, option);
  }

  private static SecateurException wrong(String spec, String option) {
    return new SettingException(
        "data",
        spec
            + ": "
            + (option.isEmpty() ? "nothing after ?" : option)
            + "; expected size=S, resize=R, channels=1|3, cache=FOLDER or, of folder: and tar:, classes=FILE, joined by &");
  }
}
