package dev.secateur.io.onnx;

import ai.onnxruntime.OrtException;
import java.nio.file.Path;

/** Compares what ONNX files compute, for tests of other packages. */
public final class OnnxFiles {
  private OnnxFiles() {}

  /** The largest difference of all outputs, each as a part of its largest value. */
  public static double difference(Path a, Path b) throws OrtException {
    return OnnxCases.difference(OnnxCases.outputs(a), OnnxCases.outputs(b));
  }
}
