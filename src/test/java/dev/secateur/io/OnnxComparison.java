package dev.secateur.io;

import ai.onnxruntime.OrtException;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.io.onnx.Outputs;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** The logits of a model here and of its exported file in ONNX Runtime. */
final class OnnxComparison {
  private OnnxComparison() {}

  record Logits(float[] ours, float[] onnxRuntime) {}

  /**
   * @param pixels U8 (batch,C,H,W)
   */
  static Logits logits(Model model, Path onnx, byte[] pixels, int batch) throws OrtException {
    long[] shape = model.graph().shape(model.graph().input().name()).with(0, batch).toArray();
    return new Logits(
        Outputs.ours(model, pixels, batch), Outputs.onnxRuntime(onnx, pixels, shape, 1, ""));
  }

  /** Arguments: model, its ONNX file, test images, how many. See scripts/compare-onnx. */
  public static void main(String[] args) throws IOException, OrtException {
    Model model = Models.load(Path.of(args[0]));
    Dataset data = DataSets.open(args[2], Split.TEST);
    int n = Math.min(data.size(), Integer.parseInt(args[3]));
    int image = data.channels() * data.height() * data.width();
    byte[] pixels = new byte[n * image];
    for (int i = 0; i < n; i++) {
      data.read(i, ByteBuffer.wrap(pixels), i * image);
    }
    Logits l = logits(model, Path.of(args[1]), pixels, n);
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < l.ours().length; i++) {
      largest = Math.max(largest, Math.abs(l.ours()[i]));
      difference = Math.max(difference, Math.abs((double) l.ours()[i] - l.onnxRuntime()[i]));
    }
    System.out.printf(
        "%d images, %d logits up to %.3f: largest difference to ONNX Runtime %.2e%n",
        n, l.ours().length, largest, difference);
  }
}
