package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Extents of tensors that nodes make which are not read here: ONNX Runtime says them, of one image
 * of zeros.
 */
final class RuntimeExtents {
  private static final String SHAPE = "secateur.extents.";

  private final ModelProto model;
  private final Collection<String> wanted;
  private final Function<Collection<String>, List<NodeProto>> needed;
  private final Function<String, Optional<TensorProto>> initializers;
  private final long[] image;
  private final Map<String, Optional<long[]>> known = new HashMap<>();

  /**
   * @param wanted tensors that may be asked for
   * @param needed the nodes that make tensors, in order
   * @param initializers with their numbers
   * @param image what open extents of images become
   */
  RuntimeExtents(
      ModelProto model,
      Collection<String> wanted,
      Function<Collection<String>, List<NodeProto>> needed,
      Function<String, Optional<TensorProto>> initializers,
      long[] image) {
    this.model = model;
    this.wanted = wanted;
    this.needed = needed;
    this.initializers = initializers;
    this.image = image;
  }

  /** Those of a tensor; empty where ONNX Runtime does not run what makes it. */
  Optional<long[]> of(String tensor) {
    if (known.isEmpty()) {
      ask(wanted); // all at once, where it runs all
    }
    if (!known.containsKey(tensor)) {
      ask(List.of(tensor));
      known.putIfAbsent(tensor, Optional.empty());
    }
    return known.get(tensor);
  }

  private void ask(Collection<String> tensors) {
    List<String> order = List.copyOf(tensors);
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    List<OnnxTensor> held = new ArrayList<>();
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(1);
      options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL); // it may refuse
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.NO_OPT);
      try (OrtSession session = environment.createSession(asking(order).toByteArray(), options)) {
        Map<String, OnnxTensor> in = new HashMap<>();
        for (Map.Entry<String, NodeInfo> e : session.getInputInfo().entrySet()) {
          TensorInfo info = (TensorInfo) e.getValue().getInfo();
          long[] shape = closed(info.getShape());
          long bytes = info.type.size;
          for (long d : shape) {
            bytes = Math.multiplyExact(bytes, d);
          }
          ByteBuffer zeros =
              ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
          OnnxTensor t = OnnxTensor.createTensor(environment, zeros, shape, info.type);
          held.add(t);
          in.put(e.getKey(), t);
        }
        try (OrtSession.Result r = session.run(in)) {
          for (int i = 0; i < order.size(); i++) {
            OnnxValue v = r.get(SHAPE + i).orElseThrow();
            known.put(order.get(i), Optional.of((long[]) v.getValue()));
          }
        }
      }
    } catch (OrtException | ArithmeticException | ClassCastException e) {
      // it does not run that: what is not known stays so
    } finally {
      held.forEach(OnnxTensor::close);
    }
  }

  private long[] closed(long[] given) {
    long[] shape = given.clone();
    for (int i = 0; i < shape.length; i++) {
      shape[i] = shape[i] > 0 ? shape[i] : shape.length == image.length ? image[i] : 1;
    }
    return shape;
  }

  /** A model that puts out the extents of tensors. */
  private ModelProto asking(List<String> tensors) {
    GraphProto.Builder g = GraphProto.newBuilder().setName("extents");
    Map<String, TensorProto> weights = new HashMap<>();
    for (NodeProto n : needed.apply(tensors)) {
      g.addNode(n);
      for (String in : Carried.reads(n)) {
        initializers.apply(in).ifPresent(t -> weights.put(in, t));
      }
    }
    g.addAllInitializer(weights.values());
    model.getGraph().getInputList().stream()
        .filter(i -> initializers.apply(i.getName()).isEmpty())
        .filter(i -> g.getNodeList().stream().anyMatch(n -> Carried.reads(n).contains(i.getName())))
        .forEach(g::addInput);
    for (int i = 0; i < tensors.size(); i++) {
      String name = SHAPE + i;
      g.addNode(
          NodeProto.newBuilder()
              .setOpType("Shape")
              .setName(name)
              .addInput(tensors.get(i))
              .addOutput(name));
      g.addOutput(
          ValueInfoProto.newBuilder()
              .setName(name)
              .setType(
                  TypeProto.newBuilder()
                      .setTensorType(
                          TypeProto.Tensor.newBuilder()
                              .setElemType(TensorProto.DataType.INT64_VALUE))));
    }
    return ModelProto.newBuilder()
        .setIrVersion(model.getIrVersion())
        .addAllOpsetImport(model.getOpsetImportList())
        .setGraph(g)
        .build();
  }
}
