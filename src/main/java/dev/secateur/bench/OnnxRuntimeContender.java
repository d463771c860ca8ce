package dev.secateur.bench;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import dev.secateur.SecateurException;
import dev.secateur.util.Cleanup;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * The same network in ONNX Runtime on the CPU, all optimisations on, with as many threads as there
 * are processors.
 */
public final class OnnxRuntimeContender implements Contender {
  private final OrtSession session;
  private final Map<String, OnnxTensor> input;
  private final Cleanup closers = new Cleanup();

  /**
   * @param file with one float input (N,C,H,W)
   * @throws SecateurException naming the file, where ONNX Runtime refuses it
   */
  public OnnxRuntimeContender(Path file, int batch) {
    try {
      OrtEnvironment environment = OrtEnvironment.getEnvironment();
      try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
        options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
        options.setIntraOpNumThreads(Runtime.getRuntime().availableProcessors());
        // or its threads go on waiting at full speed on cores that the next contender needs
        options.addConfigEntry("session.force_spinning_stop", "1");
        session = environment.createSession(file.toString(), options);
      }
      closers.add(this::closeSession);
      NodeInfo in = session.getInputInfo().values().iterator().next();
      long[] shape = ((TensorInfo) in.getInfo()).getShape().clone();
      shape[0] = batch;
      int elements = 1;
      for (long d : shape) {
        elements = Math.multiplyExact(elements, Math.toIntExact(d));
      }
      FloatBuffer data =
          ByteBuffer.allocateDirect(4 * elements).order(ByteOrder.nativeOrder()).asFloatBuffer();
      SplittableRandom random = new SplittableRandom(1);
      for (int i = 0; i < elements; i++) {
        data.put(i, random.nextInt(256));
      }
      OnnxTensor noise = OnnxTensor.createTensor(environment, data, shape);
      closers.add(noise::close);
      input = Map.of(in.getName(), noise);
    } catch (OrtException e) {
      throw Cleanup.after(refused(file.toString(), e), closers);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  private void closeSession() {
    try {
      session.close();
    } catch (OrtException e) {
      throw refused("closing", e);
    }
  }

  static SecateurException refused(String what, OrtException e) {
    String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    return new SecateurException(what + ": ONNX Runtime: " + reason, e);
  }

  @Override
  public String engine() {
    return "onnxruntime";
  }

  @Override
  public double run() {
    long start = System.nanoTime();
    try (OrtSession.Result result = session.run(input)) {
      return (System.nanoTime() - start) / 1e6;
    } catch (OrtException e) {
      throw refused("running a batch", e);
    }
  }

  @Override
  public long peakBytes() {
    return -1;
  }

  @Override
  public void close() {
    closers.close();
  }
}
