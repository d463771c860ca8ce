package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.FunctionProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Puts the bodies of a model's own functions, as PyTorch's exporters write them, where they are
 * called.
 */
final class LocalFunctions {
  private static final int DEEPEST = 32;
  private static final int MOST_NODES = 1 << 20;

  private final Map<String, FunctionProto> functions = new HashMap<>();
  private final List<NodeProto> out = new ArrayList<>();
  private int calls;

  private LocalFunctions(ModelProto model) {
    for (FunctionProto f : model.getFunctionsList()) {
      functions.put(key(f.getDomain(), f.getName()), f);
    }
  }

  private static String key(String domain, String name) {
    return domain + "\0" + name;
  }

  /**
   * The model without functions.
   *
   * @throws IllegalArgumentException where they call each other without end
   */
  static ModelProto inlined(ModelProto model) {
    if (model.getFunctionsCount() == 0) {
      return model;
    }
    LocalFunctions f = new LocalFunctions(model);
    for (NodeProto n : model.getGraph().getNodeList()) {
      f.add(n, 0);
    }
    GraphProto graph = model.getGraph().toBuilder().clearNode().addAllNode(f.out).build();
    ModelProto.Builder all = model.toBuilder().clearFunctions().setGraph(graph);
    // functions may have been written for opsets that the model itself does not name
    for (FunctionProto p : model.getFunctionsList()) {
      for (OnnxMl.OperatorSetIdProto o : p.getOpsetImportList()) {
        boolean known =
            all.getOpsetImportList().stream().anyMatch(a -> a.getDomain().equals(o.getDomain()));
        if (!known) {
          all.addOpsetImport(o);
        }
      }
    }
    return all.build();
  }

  private void add(NodeProto n, int depth) {
    FunctionProto f = functions.get(key(n.getDomain(), n.getOpType()));
    if (f == null) {
      out.add(n);
      if (out.size() > MOST_NODES) {
        throw new IllegalArgumentException("its functions have more than " + MOST_NODES + " nodes");
      }
      return;
    }
    if (depth > DEEPEST) {
      throw new IllegalArgumentException(
          "its functions call each other more than " + DEEPEST + " deep");
    }
    String prefix = (n.getName().isBlank() ? n.getOutput(0) : n.getName()) + "/" + calls++ + "/";
    Map<String, String> names = new HashMap<>();
    for (int i = 0; i < f.getInputCount(); i++) {
      names.put(f.getInput(i), i < n.getInputCount() ? n.getInput(i) : "");
    }
    for (int i = 0; i < f.getOutputCount(); i++) {
      if (i < n.getOutputCount() && !n.getOutput(i).isEmpty()) {
        names.put(f.getOutput(i), n.getOutput(i));
      }
    }
    Map<String, AttributeProto> attributes = new HashMap<>();
    f.getAttributeProtoList().forEach(a -> attributes.put(a.getName(), a));
    n.getAttributeList().forEach(a -> attributes.put(a.getName(), a));
    for (NodeProto inner : f.getNodeList()) {
      for (String o : inner.getOutputList()) {
        names.putIfAbsent(o, o.isEmpty() ? "" : prefix + o);
      }
      add(called(inner, prefix, names, attributes), depth + 1);
    }
  }

  private static NodeProto called(
      NodeProto inner,
      String prefix,
      Map<String, String> names,
      Map<String, AttributeProto> attributes) {
    NodeProto.Builder copy = Carried.renamed(inner, names).toBuilder();
    copy.setName(prefix + (inner.getName().isBlank() ? inner.getOpType() : inner.getName()));
    for (int o = 0; o < copy.getOutputCount(); o++) {
      copy.setOutput(o, names.getOrDefault(inner.getOutput(o), inner.getOutput(o)));
    }
    copy.clearAttribute();
    for (AttributeProto a : inner.getAttributeList()) {
      resolved(a, attributes).ifPresent(copy::addAttribute);
    }
    return copy.build();
  }

  /** An attribute that may be the caller's; none where the caller gives none. */
  private static Optional<AttributeProto> resolved(
      AttributeProto a, Map<String, AttributeProto> attributes) {
    if (a.getRefAttrName().isEmpty()) {
      return Optional.of(a);
    }
    return Optional.ofNullable(attributes.get(a.getRefAttrName()))
        .map(given -> given.toBuilder().setName(a.getName()).build());
  }
}
