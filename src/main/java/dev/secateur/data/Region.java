package dev.secateur.data;

/** A rectangle of an image, in pixels from its upper left corner. */
public record Region(int left, int top, int width, int height) {
  /** All of an image. */
  static Region all(int width, int height) {
    return new Region(0, 0, width, height);
  }

  /** The same of the image in an n-th of its size, rounded outwards to what is there. */
  Region reduced(int n, int width, int height) {
    int x = Math.min(left / n, width - 1);
    int y = Math.min(top / n, height - 1);
    return new Region(
        x,
        y,
        Math.max(1, Math.min(width, (left + this.width + n - 1) / n) - x),
        Math.max(1, Math.min(height, (top + this.height + n - 1) / n) - y));
  }
}
