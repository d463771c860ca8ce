package dev.secateur.train;

import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.tensor.Tensor;
import java.nio.ByteOrder;

/**
 * Uploads a data set's first images batch by batch, in order, through two staging buffers in turn.
 * Rows of the last batch beyond the end have label -1.
 */
public final class BatchFeed implements AutoCloseable {
  private final Device device;
  private final Dataset data;
  private final Tensor pixels;
  private final Tensor labels;
  private final int images;
  private final int batch;
  private final int imageBytes;
  private final HostBuffer[] pixelStaging = new HostBuffer[2];
  private final HostBuffer[] labelStaging = new HostBuffer[2];
  private int next;
  private int turn;

  /**
   * @param pixels U8 (batch,C,H,W)
   * @param labels I32 (batch)
   * @param limit at most so many images
   */
  public BatchFeed(Device device, Dataset data, Tensor pixels, Tensor labels, int limit) {
    this.device = device;
    this.data = data;
    this.pixels = pixels;
    this.labels = labels;
    this.images = Math.min(limit, data.size());
    this.batch = pixels.shape().size(0);
    this.imageBytes = Math.toIntExact(pixels.elements() / batch);
    for (int i = 0; i < 2; i++) {
      pixelStaging[i] = device.hostBuffer(pixels.bytes());
      labelStaging[i] = device.hostBuffer(labels.bytes());
      labelStaging[i].bytes().order(ByteOrder.nativeOrder());
    }
  }

  /** Images in all batches together. */
  public int images() {
    return images;
  }

  /** Images uploaded so far. */
  public int done() {
    return next;
  }

  /** Enqueues the next batch's upload and returns its rows that count; 0 at the end. */
  public int next() {
    int rows = Math.min(batch, images - next);
    if (rows == 0) {
      return 0;
    }
    pixelStaging[turn].awaitRead();
    labelStaging[turn].awaitRead();
    for (int i = 0; i < batch; i++) {
      labelStaging[turn].bytes().putInt(4 * i, i < rows ? data.label(next + i) : -1);
      if (i < rows) {
        data.read(next + i, pixelStaging[turn].bytes(), i * imageBytes);
      }
    }
    device.upload(pixelStaging[turn], pixels);
    device.upload(labelStaging[turn], labels);
    turn ^= 1;
    next += rows;
    return rows;
  }

  @Override
  public void close() {
    for (int i = 0; i < 2; i++) {
      pixelStaging[i].close();
      labelStaging[i].close();
    }
  }
}
