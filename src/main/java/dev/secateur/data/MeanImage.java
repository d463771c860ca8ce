package dev.secateur.data;

import java.nio.ByteBuffer;

/** The mean of a data set, pixel by pixel, as CIFAR networks of Keras are often fed. */
public final class MeanImage {
  private MeanImage() {}

  /** Mean of every pixel over all images that can be read, (C,H,W), from 0 to 255. */
  public static float[] of(Dataset data) {
    int pixels = data.channels() * data.height() * data.width();
    ByteBuffer image = ByteBuffer.allocate(pixels);
    byte[] bytes = image.array();
    long[] sums = new long[pixels];
    long images = 0;
    for (int i = 0; i < data.size(); i++) {
      if (data.read(i, image, 0)) {
        images++;
        for (int j = 0; j < pixels; j++) {
          sums[j] += bytes[j] & 0xff;
        }
      }
    }
    float[] mean = new float[pixels];
    for (int j = 0; j < pixels; j++) {
      mean[j] = (float) ((double) sums[j] / Math.max(1, images));
    }
    return mean;
  }
}
