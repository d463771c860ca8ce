package dev.secateur.data;

/** Which part of an image a reader wants, whatever size the image turns out to have. */
@FunctionalInterface
public interface View {
  /**
   * @param width of the image in its file, in pixels, as height
   */
  Region of(int width, int height);
}
