package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.secateur.SecateurException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.TreeMap;

/**
 * What of an ONNX file is no layer here and is kept as it came: the nodes behind the last layers
 * that are known, those in front of or between layers, with their initializers, and all outputs. An
 * export writes them back beside the network, which may have become smaller meanwhile: all channels
 * that go in there or come from there stay.
 *
 * <p>It lies in the model's metadata, as a model of its own in base 64.
 *
 * @param rest nodes, initializers and outputs as in the file; its inputs are the file's
 * @param taps tensors of the network that are read there or are outputs
 * @param entries tensors that are made there and that layers read, by the network's nodes for them
 */
record Carried(ModelProto rest, List<Tap> taps, Map<String, String> entries) {
  private static final String TAP = "tap.";
  private static final String ENTRY = "entry.";

  /** More than this is not put into metadata. */
  private static final int LIMIT = 1 << 26;

  /**
   * A tensor of the file that a node of the network holds.
   *
   * @param layout NCHW, NHWC or FLAT, as the file has it
   * @param type the data type that it is cast to there; 0: that of the layers
   */
  record Tap(String tensor, String node, View.Layout layout, int type) {}

  /** What a model carries. */
  static Optional<Carried> of(Map<String, String> metadata) {
    String text = metadata.get(OnnxImport.CARRIED);
    if (text == null) {
      return Optional.empty();
    }
    try {
      ModelProto rest = ModelProto.parseFrom(Base64.getDecoder().decode(text));
      List<Tap> taps = new ArrayList<>();
      Map<String, String> entries = new LinkedHashMap<>();
      for (OnnxMl.StringStringEntryProto p : rest.getMetadataPropsList()) {
        if (p.getKey().startsWith(ENTRY)) {
          entries.put(p.getKey().substring(ENTRY.length()), p.getValue());
          continue;
        }
        String[] words = p.getValue().split(" ", 3);
        taps.add(
            new Tap(
                p.getKey().substring(TAP.length()),
                words[2],
                View.Layout.valueOf(words[0]),
                Integer.parseInt(words[1])));
      }
      return Optional.of(new Carried(rest, taps, entries));
    } catch (InvalidProtocolBufferException
        | IllegalArgumentException
        | IndexOutOfBoundsException e) {
      throw new SecateurException("the model's metadata has a broken " + OnnxImport.CARRIED, e);
    }
  }

  /** Puts it into a model's metadata. */
  void into(Map<String, String> metadata) {
    ModelProto.Builder all = rest.toBuilder().clearMetadataProps();
    for (Tap t : taps) {
      all.addMetadataProps(
          OnnxMl.StringStringEntryProto.newBuilder()
              .setKey(TAP + t.tensor())
              .setValue(t.layout() + " " + t.type() + " " + t.node()));
    }
    entries.forEach(
        (node, tensor) ->
            all.addMetadataProps(
                OnnxMl.StringStringEntryProto.newBuilder().setKey(ENTRY + node).setValue(tensor)));
    byte[] bytes = all.build().toByteArray();
    if (bytes.length > LIMIT) {
      throw new IllegalArgumentException(
          "what is not known has "
              + bytes.length / (1 << 20)
              + " MiB of numbers; at most "
              + LIMIT / (1 << 20)
              + " are carried along");
    }
    metadata.put(OnnxImport.CARRIED, Base64.getEncoder().encodeToString(bytes));
  }

  GraphProto graph() {
    return rest.getGraph();
  }

  /** Names of all tensors that are made or held in it. */
  Set<String> names() {
    Set<String> out = new HashSet<>();
    graph().getNodeList().forEach(n -> out.addAll(n.getOutputList()));
    graph().getInputList().forEach(i -> out.add(i.getName()));
    graph().getOutputList().forEach(o -> out.add(o.getName()));
    out.addAll(inside(graph().getNodeList()));
    return out;
  }

  /** Names of what graphs inside of nodes make, which may not meet others. */
  private static Set<String> inside(List<NodeProto> nodes) {
    Set<String> out = new HashSet<>();
    for (NodeProto n : nodes) {
      for (GraphProto g : graphs(n)) {
        g.getNodeList().forEach(m -> out.addAll(m.getOutputList()));
        g.getInitializerList().forEach(t -> out.add(t.getName()));
        out.addAll(inside(g.getNodeList()));
      }
    }
    return out;
  }

  /** All tensors that a node reads, those that graphs inside of it take from around it included. */
  static Set<String> reads(NodeProto n) {
    Set<String> out = new HashSet<>(n.getInputList());
    for (GraphProto g : graphs(n)) {
      Set<String> own = new HashSet<>();
      g.getInputList().forEach(i -> own.add(i.getName()));
      g.getInitializerList().forEach(t -> own.add(t.getName()));
      Set<String> from = new HashSet<>();
      for (NodeProto m : g.getNodeList()) {
        from.addAll(reads(m));
        own.addAll(m.getOutputList());
      }
      g.getOutputList().forEach(o -> from.add(o.getName()));
      from.removeAll(own);
      out.addAll(from);
    }
    out.remove("");
    return out;
  }

  private static List<GraphProto> graphs(NodeProto n) {
    List<GraphProto> out = new ArrayList<>();
    for (OnnxMl.AttributeProto a : n.getAttributeList()) {
      if (a.hasG()) {
        out.add(a.getG());
      }
      out.addAll(a.getGraphsList());
    }
    return out;
  }

  /** Nodes in an order in which each comes behind what it reads; as they are, where that is one. */
  static List<NodeProto> sorted(List<NodeProto> nodes) {
    Map<String, Integer> makers = new HashMap<>();
    for (int i = 0; i < nodes.size(); i++) {
      for (String o : nodes.get(i).getOutputList()) {
        makers.put(o, i);
      }
    }
    int[] open = new int[nodes.size()];
    List<List<Integer>> readers = new ArrayList<>();
    nodes.forEach(n -> readers.add(new ArrayList<>()));
    PriorityQueue<Integer> ready = new PriorityQueue<>();
    for (int i = 0; i < open.length; i++) {
      for (String in : reads(nodes.get(i))) {
        if (makers.containsKey(in)) {
          readers.get(makers.get(in)).add(i);
          open[i]++;
        }
      }
      if (open[i] == 0) {
        ready.add(i);
      }
    }
    List<NodeProto> out = new ArrayList<>();
    while (!ready.isEmpty()) {
      int next = ready.poll();
      out.add(nodes.get(next));
      for (int r : readers.get(next)) {
        if (--open[r] == 0) {
          ready.add(r);
        }
      }
    }
    return out;
  }

  /** A node whose inputs have other names. */
  static NodeProto renamed(NodeProto n, Map<String, String> names) {
    NodeProto.Builder out = n.toBuilder();
    for (int i = 0; i < n.getInputCount(); i++) {
      out.setInput(i, names.getOrDefault(n.getInput(i), n.getInput(i)));
    }
    for (int a = 0; a < n.getAttributeCount(); a++) {
      OnnxMl.AttributeProto.Builder attribute = n.getAttribute(a).toBuilder();
      if (attribute.hasG()) {
        attribute.setG(renamed(attribute.getG(), names));
      }
      for (int i = 0; i < attribute.getGraphsCount(); i++) {
        attribute.setGraphs(i, renamed(attribute.getGraphs(i), names));
      }
      out.setAttribute(a, attribute);
    }
    return out.build();
  }

  private static GraphProto renamed(GraphProto g, Map<String, String> names) {
    GraphProto.Builder out = g.toBuilder().clearNode();
    g.getNodeList().forEach(n -> out.addNode(renamed(n, names)));
    for (int i = 0; i < g.getOutputCount(); i++) {
      String name = g.getOutput(i).getName();
      out.getOutputBuilder(i).setName(names.getOrDefault(name, name));
    }
    return out.build();
  }

  /** Numbers in initializers and constants. */
  long parameters() {
    return graph().getInitializerList().stream().mapToLong(Carried::size).sum();
  }

  private static long size(TensorProto t) {
    return t.getDimsList().stream().mapToLong(Long::longValue).reduce(1, (a, b) -> a * b);
  }

  /** Operators by how often they occur, as "3 Conv, 1 LRN". */
  String operators() {
    Map<String, Integer> counts = new TreeMap<>();
    graph().getNodeList().forEach(n -> counts.merge(n.getOpType(), 1, Integer::sum));
    return String.join(
        ", ", counts.entrySet().stream().map(e -> e.getValue() + " " + e.getKey()).toList());
  }

  /** Names of the outputs of the file, in order. */
  List<String> outputs() {
    return Arrays.asList(
        graph().getOutputList().stream()
            .map(OnnxMl.ValueInfoProto::getName)
            .toArray(String[]::new));
  }
}
