package dev.secateur.bench;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import dev.secateur.SecateurException;
import dev.secateur.util.Cleanup;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The same network in ONNX Runtime on the CPU, all optimisations on, with as many threads as there
 * are processors.
 */
public final class OnnxRuntimeContender implements Contender {
  private final OrtSession session;
  private final Map<String, OnnxTensor> input = new LinkedHashMap<>();
  private final Cleanup closers = new Cleanup();

  /**
   * @param file whose inputs are given noise
   * @throws SecateurException naming the file, where ONNX Runtime refuses it
   */
  public OnnxRuntimeContender(Path file, int batch) {
    try {
      OrtEnvironment environment = OrtEnvironment.getEnvironment();
      session = session(file);
      closers.add(() -> close(session));
      for (Map.Entry<String, NodeInfo> e : session.getInputInfo().entrySet()) {
        TensorInfo info = (TensorInfo) e.getValue().getInfo();
        long[] shape = info.getShape().clone();
        if (shape[0] > 0 && shape[0] != batch) {
          throw new SecateurException(file + ": takes batches of " + shape[0] + ", not " + batch);
        }
        shape[0] = batch;
        OnnxTensor noise = OnnxOutputs.input(environment, info.type, shape);
        closers.add(noise::close);
        input.put(e.getKey(), noise);
      }
    } catch (OrtException e) {
      throw Cleanup.after(refused(file.toString(), e), closers);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  /** All optimisations on, with as many threads as there are processors. */
  static OrtSession session(Path file) throws OrtException {
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
      options.setIntraOpNumThreads(Runtime.getRuntime().availableProcessors());
      // or its threads go on waiting at full speed on cores that the next contender needs
      options.addConfigEntry("session.force_spinning_stop", "1");
      return OrtEnvironment.getEnvironment().createSession(file.toString(), options);
    }
  }

  static void close(OrtSession session) {
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
