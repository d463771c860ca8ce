package dev.secateur.io;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.device.Devices;
import dev.secateur.device.HostBuffer;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/** The logits of a model here and of its exported file in ONNX Runtime. */
final class OnnxComparison {
  private OnnxComparison() {}

  record Logits(float[] ours, float[] onnxRuntime) {}

  /**
   * @param pixels U8 (batch,C,H,W)
   */
  static Logits logits(Model model, Path onnx, byte[] pixels, int batch) throws OrtException {
    float[] ours;
    long[] shape;
    try (Device device = Devices.open("cpu");
        Network net = new Network(device, model);
        InferenceProgram p = InferenceProgram.compile(net, batch, Optional.empty());
        HostBuffer host = device.hostBuffer(p.pixels().bytes())) {
      host.bytes().put(0, pixels);
      device.upload(host, p.pixels());
      p.run();
      ours = device.downloadFloats(p.output());
      shape = p.pixels().shape().toArray();
    }
    FloatBuffer floats = FloatBuffer.allocate(pixels.length);
    for (byte b : pixels) {
      floats.put(b & 255);
    }
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession session = environment.createSession(onnx.toString());
        OnnxTensor x = OnnxTensor.createTensor(environment, floats.flip(), shape);
        OrtSession.Result r = session.run(Map.of("input", x))) {
      FloatBuffer got = ((OnnxTensor) r.get(0)).getFloatBuffer();
      float[] theirs = new float[got.remaining()];
      got.get(theirs);
      return new Logits(ours, theirs);
    }
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
