package dev.secateur.io.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/** What a network computes here and in ONNX Runtime for the same images. */
public final class Outputs {
  private Outputs() {}

  /** Random U8 pixels (batch,C,H,W). */
  public static byte[] pixels(Model model, int batch) {
    long image = model.graph().shape(model.graph().input().name()).elements();
    byte[] out = new byte[(int) image * batch];
    new SplittableRandom(batch).nextBytes(out);
    return out;
  }

  /** Our output on the CPU, before the softmax that an import takes off. */
  public static float[] ours(Model model, byte[] pixels, int batch) {
    try (Device device = new CpuDevice()) {
      return ours(device, model, pixels, batch);
    }
  }

  public static float[] ours(Device device, Model model, byte[] pixels, int batch) {
    try (Network net = new Network(device, model);
        InferenceProgram p = InferenceProgram.compile(net, batch, Optional.empty());
        HostBuffer host = device.hostBuffer(p.pixels().bytes())) {
      host.bytes().put(0, pixels);
      device.upload(host, p.pixels());
      p.run();
      return device.downloadFloats(p.output());
    }
  }

  /**
   * Without ONNX Runtime's rewriting of graphs: its fusion of Pad and AveragePool (1.20) forgets
   * that the padding counts.
   */
  private static OrtSession.SessionOptions plain() throws OrtException {
    OrtSession.SessionOptions options = new OrtSession.SessionOptions();
    options.setIntraOpNumThreads(1); // else every session starts threads of its own
    options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.NO_OPT);
    return options;
  }

  /**
   * @param scale what an input value is worth in pixels: 255 where values are pixel / 255
   */
  public static float[] onnxRuntime(
      Path file, byte[] pixels, long[] shape, float scale, String output) throws OrtException {
    FloatBuffer values = FloatBuffer.allocate(pixels.length);
    for (byte b : pixels) {
      values.put((b & 255) / scale);
    }
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession.SessionOptions options = plain();
        OrtSession session = environment.createSession(file.toString(), options);
        OnnxTensor x = OnnxTensor.createTensor(environment, values.flip(), shape);
        OrtSession.Result r = session.run(Map.of(session.getInputNames().iterator().next(), x))) {
      OnnxTensor y = (OnnxTensor) (output.isEmpty() ? r.get(0) : r.get(output).orElseThrow());
      FloatBuffer got = y.getFloatBuffer();
      float[] out = new float[got.remaining()];
      got.get(out);
      return out;
    }
  }

  /** Puts back the softmax of {@code head} over {@code channels}, as the file computes it. */
  static float[] withHead(Model model, float[] logits) {
    String head = model.metadata().getOrDefault(OnnxImport.HEAD, "");
    if (head.isEmpty()) {
      return logits;
    }
    int n = model.graph().shape(model.graph().output().name()).size(1);
    float[] out = new float[logits.length];
    for (int i = 0; i < logits.length; i += n) {
      double max = Double.NEGATIVE_INFINITY;
      double sum = 0;
      for (int k = i; k < i + n; k++) {
        max = Math.max(max, logits[k]);
      }
      for (int k = i; k < i + n; k++) {
        sum += Math.exp(logits[k] - max);
      }
      for (int k = i; k < i + n; k++) {
        double log = logits[k] - max - Math.log(sum);
        out[k] = (float) (head.startsWith("Log") ? log : Math.exp(log));
      }
    }
    return out;
  }

  /** The largest difference, as a part of the largest value. */
  static double difference(float[] a, float[] b) {
    if (a.length != b.length) {
      throw new AssertionError(a.length + " outputs and " + b.length);
    }
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < a.length; i++) {
      largest = Math.max(largest, Math.abs(b[i]));
      difference = Math.max(difference, Math.abs((double) a[i] - b[i]));
    }
    if (!(difference < Double.POSITIVE_INFINITY) || largest == 0) {
      throw new AssertionError("outputs that are no numbers, or all zero");
    }
    return difference / largest;
  }
}
