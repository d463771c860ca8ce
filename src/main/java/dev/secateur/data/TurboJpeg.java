package dev.secateur.data;

import java.io.IOException;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.opencv.global.opencv_core;
import org.bytedeco.opencv.global.opencv_imgcodecs;
import org.bytedeco.opencv.opencv_core.Mat;

/**
 * JPEG files of one or three components by libjpeg-turbo, which OpenCV carries, with its defaults:
 * the exact inverse DCT and interpolated chroma, as Pillow has them. Keeps its buffers; not safe
 * for several threads.
 */
final class TurboJpeg {
  private Mat image = new Mat();
  private BytePointer file = new BytePointer(1L << 16);
  private byte[] colours = {};

  /**
   * @param reduced 1, 2, 4 or 8: decoded in that part of its size by a smaller inverse DCT
   */
  void decode(byte[] bytes, int components, int reduced) throws IOException {
    if (file.capacity() < bytes.length) {
      file.close();
      file = new BytePointer(2L * bytes.length);
    }
    file.position(0).put(bytes, 0, bytes.length);
    try (Mat in = new Mat(1, bytes.length, opencv_core.CV_8UC1, file)) {
      image.close();
      image = opencv_imgcodecs.imdecode(in, flags(components, reduced));
    } catch (RuntimeException e) {
      throw new IOException("damaged JPEG", e); // whose message has lines of OpenCV's sources
    }
    if (image.empty() || image.channels() != components || !image.isContinuous()) {
      throw new IOException("damaged JPEG");
    }
  }

  private static int flags(int components, int reduced) {
    int size =
        switch (reduced) {
          case 2 -> opencv_imgcodecs.IMREAD_REDUCED_GRAYSCALE_2;
          case 4 -> opencv_imgcodecs.IMREAD_REDUCED_GRAYSCALE_4;
          case 8 -> opencv_imgcodecs.IMREAD_REDUCED_GRAYSCALE_8;
          default -> opencv_imgcodecs.IMREAD_GRAYSCALE;
        };
    int colour = components == 1 ? 0 : opencv_imgcodecs.IMREAD_COLOR_RGB;
    return size | colour | opencv_imgcodecs.IMREAD_IGNORE_ORIENTATION;
  }

  int width() {
    return image.cols();
  }

  int height() {
    return image.rows();
  }

  /** H*W*C bytes, RGB or luma. */
  void copy(byte[] out, int channels) {
    int pixels = width() * height();
    int components = image.channels();
    if (channels == components) {
      image.data().get(out, 0, pixels * channels);
      return;
    }
    if (colours.length < pixels * components) {
      colours = new byte[pixels * components];
    }
    image.data().get(colours, 0, pixels * components);
    for (int i = 0; i < pixels; i++) {
      if (channels == 3) {
        out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = colours[i];
      } else {
        int at = 3 * i;
        out[i] = ImageDecoder.luma(colours[at] & 255, colours[at + 1] & 255, colours[at + 2] & 255);
      }
    }
  }
}
