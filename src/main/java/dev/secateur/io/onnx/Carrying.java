package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import dev.secateur.SecateurException;
import dev.secateur.nn.Graph;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.Identity;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * Divides a file that is being read into layers and what is {@link Carried}: where layers begin
 * behind nodes that are not known, and which of their results such nodes read.
 */
final class Carrying {
  /** Layers that take what is not known for features. */
  private static final Map<String, Integer> ENTRIES =
      Map.of("Conv", 4, "ConvTranspose", 4, "Gemm", 2, "MatMul", 2);

  private final OnnxFile file;
  private final OnnxMl.ModelProto model;
  private final Map<String, OnnxMl.TensorProto> initializers;
  private final Map<String, NodeProto> makers;
  private final Translator t;
  private final Function<String, SecateurException> refusal;
  private final RuntimeExtents extents;

  /**
   * @param model without functions
   * @param makers the node that makes each tensor
   * @param needed the nodes that tensors need, in order
   * @param nodes those that the outputs need
   * @param image the extents of an image in the file
   * @param refusal of the file, for a reason
   */
  Carrying(
      OnnxFile file,
      OnnxMl.ModelProto model,
      Map<String, OnnxMl.TensorProto> initializers,
      Map<String, NodeProto> makers,
      Function<Collection<String>, List<NodeProto>> needed,
      List<NodeProto> nodes,
      Translator t,
      long[] image,
      Function<String, SecateurException> refusal) {
    this.file = file;
    this.model = model;
    this.initializers = initializers;
    this.makers = makers;
    this.t = t;
    this.refusal = refusal;
    List<String> asked =
        nodes.stream()
            .filter(n -> ENTRIES.containsKey(n.getOpType()) && n.getInputCount() > 1)
            .map(n -> n.getInput(0))
            .filter(makers::containsKey)
            .distinct()
            .toList();
    this.extents =
        new RuntimeExtents(
            model,
            asked,
            needed,
            name -> Optional.ofNullable(initializers.get(name)).map(this::inside),
            image);
  }

  /**
   * The network up to where nodes are not known, and what is behind as it is.
   *
   * @param metadata takes what is carried
   */
  Graph carry(
      List<NodeProto> nodes,
      List<ValueInfoProto> outputs,
      List<SecateurException> unknown,
      Map<String, String> metadata) {
    Set<NodeProto> rest = Collections.newSetFromMap(new IdentityHashMap<>());
    Set<String> weights = new LinkedHashSet<>();
    Set<String> seen = new HashSet<>();
    List<String> ends = outputs.stream().map(ValueInfoProto::getName).toList();
    Map<String, Carried.Tap> taps = taps(ends, seen, rest, weights);
    Map<String, Carried.Tap> between = new LinkedHashMap<>();
    Map<String, String> entries = new LinkedHashMap<>();
    Deque<Carried.Tap> reached = new ArrayDeque<>(taps.values());
    while (!reached.isEmpty()) {
      Set<String> front = t.builder().needs(List.of(reached.poll().node()));
      for (Map.Entry<String, String> e : t.entries().entrySet()) {
        if (front.contains(e.getValue()) && entries.put(e.getValue(), e.getKey()) == null) {
          Map<String, Carried.Tap> more = taps(List.of(e.getKey()), seen, rest, weights);
          between.putAll(more);
          reached.addAll(more.values());
        }
      }
    }
    OnnxMl.GraphProto.Builder out = OnnxMl.GraphProto.newBuilder().setName("carried");
    weights.forEach(w -> out.addInitializer(inside(initializers.get(w))));
    nodes.stream().filter(rest::contains).forEach(out::addNode);
    model.getGraph().getInputList().stream()
        .filter(i -> !initializers.containsKey(i.getName()))
        .forEach(out::addInput);
    out.addAllOutput(outputs);
    if (taps.isEmpty()) {
      throw unknown.isEmpty() ? refusal.apply("no output is known") : unknown.get(0);
    }
    Graph g = joined(taps, between, outputs.get(0).getName());
    taps.putAll(between);
    if (!unknown.isEmpty() && g.nodes().stream().filter(n -> n.op().mixesChannels()).count() < 2) {
      throw unknown.get(0);
    }
    Carried c =
        new Carried(
            OnnxMl.ModelProto.newBuilder()
                .setIrVersion(file.model().getIrVersion())
                .addAllOpsetImport(model.getOpsetImportList())
                .setGraph(out)
                .build(),
            List.copyOf(taps.values()),
            entries);
    try {
      c.into(metadata);
    } catch (IllegalArgumentException e) {
      throw refusal.apply(e.getMessage());
    }
    metadata.put(OnnxImport.CARRIED_NODES, c.operators());
    return g;
  }

  /**
   * What of the network is read by nodes that are not known, and by those before them.
   *
   * @param from tensors that such nodes make, or results of the network
   * @param seen tensors that need no second look
   * @param rest takes these nodes
   * @param weights takes the initializers that they read
   */
  private Map<String, Carried.Tap> taps(
      List<String> from, Set<String> seen, Set<NodeProto> rest, Set<String> weights) {
    Map<String, Carried.Tap> taps = new LinkedHashMap<>();
    Deque<String> open = new ArrayDeque<>(from);
    while (!open.isEmpty()) {
      String tensor = open.poll();
      if (!seen.add(tensor)) {
        continue;
      }
      NodeProto maker = makers.get(tensor);
      Optional<Translator.Placed> whole = made(tensor);
      if (whole.isPresent()) {
        taps.put(
            tensor, new Carried.Tap(tensor, whole.get().node(), whole.get().layout(), cast(maker)));
      } else if (maker != null) {
        if (rest.add(maker)) {
          open.addAll(Carried.reads(maker));
        }
      } else if (initializers.containsKey(tensor)) {
        weights.add(tensor);
      }
    }
    return taps;
  }

  /** A tensor as the network's layers make it, where they do. */
  private Optional<Translator.Placed> made(String tensor) {
    boolean made = makers.containsKey(tensor) && t.entry(tensor).isEmpty();
    return made ? t.whole(tensor) : Optional.empty();
  }

  /** The data type that a node casts to; 0: it does not. */
  private static int cast(NodeProto n) {
    return n.getOpType().equals("Cast") ? (int) new Attributes(n).integer("to", 1) : 0;
  }

  /** An initializer whose numbers are not in another file. */
  private OnnxMl.TensorProto inside(OnnxMl.TensorProto t) {
    if (t.getDataLocation() != OnnxMl.TensorProto.DataLocation.EXTERNAL) {
      return t;
    }
    try {
      return file.inside(t);
    } catch (IOException | IllegalArgumentException | ArithmeticException e) {
      throw refusal.apply("cannot read external data (" + e.getMessage() + ")");
    }
  }

  /**
   * The network with everything that is read from it; its own output is the first, if it can be.
   *
   * @param between read by nodes in front of layers
   */
  private Graph joined(
      Map<String, Carried.Tap> taps, Map<String, Carried.Tap> between, String first) {
    NetworkBuilder b = t.builder();
    Map<String, String> holders = new HashMap<>();
    Set<String> held = held(b, taps, holders);
    Set<String> all = new LinkedHashSet<>(held);
    all.addAll(held(b, between, holders));
    Carried.Tap main = taps.get(first);
    if (main != null && !main.layout().channelsLast()) {
      return b.graph(main.node(), all);
    }
    if (held.size() == 1) {
      return b.graph(held.iterator().next(), all);
    }
    List<String> flat = new ArrayList<>();
    for (String h : held) {
      flat.add(b.add(OnnxImport.PACKED + flat.size(), new Flatten(), List.of(b.input(h))));
    }
    return b.graph(b.add(OnnxImport.PACKED, new Concat(), flat), all);
  }

  /** Nodes of their own for what is read, so that it stays. */
  private static Set<String> held(
      NetworkBuilder b, Map<String, Carried.Tap> taps, Map<String, String> holders) {
    Set<String> held = new LinkedHashSet<>();
    for (Map.Entry<String, Carried.Tap> e : taps.entrySet()) {
      Carried.Tap tap = e.getValue();
      String holder =
          holders.computeIfAbsent(tap.node(), n -> b.add(n + ".held", new Identity(), List.of(n)));
      held.add(holder);
      e.setValue(new Carried.Tap(tap.tensor(), holder, tap.layout(), tap.type()));
    }
    return held;
  }

  /** Whether a node is a layer that reads something of which nothing is known. */
  boolean mayEnter(NodeProto n) {
    return OnnxImport.ours(n)
        && ENTRIES.containsKey(n.getOpType())
        && n.getInputCount() > 1
        && t.opaque(n.getInput(0))
        && makers.containsKey(n.getInput(0))
        && n.getInputList().stream().skip(1).allMatch(i -> i.isEmpty() || t.constant(i));
  }

  /** Takes what such a layer reads for features, where its extents can be known. */
  boolean enters(NodeProto n) {
    String x = n.getInput(0);
    Optional<long[]> dims =
        extents
            .of(x)
            .filter(d -> d.length == ENTRIES.get(n.getOpType()))
            .filter(
                d ->
                    Arrays.stream(d).skip(1).allMatch(e -> e > 0 && e <= OnnxImport.LARGEST_IMAGE));
    dims.ifPresent(d -> t.enter(x, d, behind(x)));
    return dims.isPresent();
  }

  /** Nodes of the network that what makes a tensor reads. */
  private Set<String> behind(String tensor) {
    Set<String> out = new LinkedHashSet<>();
    Set<String> seen = new HashSet<>();
    Deque<String> open = new ArrayDeque<>(Carried.reads(makers.get(tensor)));
    while (!open.isEmpty()) {
      String x = open.poll();
      Optional<String> node = t.entry(x).or(() -> made(x).map(Translator.Placed::node));
      if (node.isPresent()) {
        out.add(node.get());
      } else if (seen.add(x) && makers.containsKey(x)) {
        open.addAll(Carried.reads(makers.get(x)));
      }
    }
    return out;
  }
}
