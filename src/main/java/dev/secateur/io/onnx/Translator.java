package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import dev.secateur.SecateurException;
import dev.secateur.device.PoolSpec;
import dev.secateur.io.Text;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Opaque;
import dev.secateur.nn.op.ReduceChannels;
import dev.secateur.nn.op.SelectChannels;
import dev.secateur.nn.op.Softmax;
import dev.secateur.nn.op.Unflatten;
import dev.secateur.tensor.Shape;
import java.io.IOException;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/** What is known while an ONNX graph is walked: the value of every tensor, the graph so far. */
final class Translator {
  private final OnnxFile file;
  private final Map<String, OnnxMl.TensorProto> initializers;
  private final Map<String, Integer> uses;
  private final int opset;
  private final long batch;
  private final String output;
  private final Map<String, Value> values = new HashMap<>();
  private final Map<String, String> flattened = new HashMap<>();
  private final Map<String, String> unflattened = new HashMap<>();

  /** Nodes for what nodes that are not known make, by tensor. */
  private final Map<String, String> entries = new HashMap<>();

  private final NetworkBuilder builder = new NetworkBuilder();
  private final ConstantFolding folding;
  private Optional<String> head = Optional.empty();

  /** Of a file that no one could read, or that is too large to: none of it is carried along. */
  static final class Broken extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    Broken(String why) {
      super(why);
    }
  }

  /** A node that holds features in the order of a layout. */
  record Placed(String node, View.Layout layout) {}

  /**
   * @param uses how many inputs of nodes (and outputs of the graph) each tensor is
   * @param batch the file's batch; 1 where it is dynamic
   * @param output the tensor that the network is for
   */
  Translator(
      OnnxFile file,
      Map<String, OnnxMl.TensorProto> initializers,
      Map<String, Integer> uses,
      int opset,
      long batch,
      String output) {
    this.file = file;
    this.initializers = initializers;
    this.uses = uses;
    this.opset = opset;
    this.batch = batch;
    this.output = output;
    this.folding = new ConstantFolding(file.model().getSerializedSize());
  }

  NetworkBuilder builder() {
    return builder;
  }

  ConstantFolding folding() {
    return folding;
  }

  int opset() {
    return opset;
  }

  String output() {
    return output;
  }

  /** softmax or log_softmax, where that was taken off the end. */
  Optional<String> head() {
    return head;
  }

  void head(String function) {
    head = Optional.of(function);
  }

  void input(String tensor, Input op, float[] mean, float[] std, View.Layout layout) {
    String node = builder.add("input", op, List.of());
    builder.parameter(node, "mean", mean);
    builder.parameter(node, "std", std);
    put(tensor, features(new Placed(node, layout)));
  }

  /** Takes the batch, of one image, off the input. */
  void single(String tensor) {
    Value.Features x = features(tensor);
    long[] dims = x.view().dims();
    put(tensor, x.through(x.view().reshape(Arrays.copyOfRange(dims, 1, 4)).orElseThrow()));
  }

  /** Gives the input's channels to several tensors of the file. */
  void divide(List<String> tensors, List<Integer> channels, View.Layout layout) {
    int at = 0;
    for (int i = 0; i < tensors.size(); i++) {
      int first = at;
      at += channels.get(i);
      List<Integer> own = IntStream.range(first, at).boxed().toList();
      String node = builder.add(tensors.get(i), new SelectChannels(own), List.of("input"));
      put(tensors.get(i), features(new Placed(node, layout)));
    }
  }

  boolean known(String tensor) {
    return values.containsKey(tensor) || initializers.containsKey(tensor);
  }

  /** Whether a tensor holds numbers of the file, or what they make. */
  boolean constant(String tensor) {
    return isInitializer(tensor) || values.get(tensor) instanceof Constant;
  }

  /** Whether nothing is known of a tensor. */
  boolean opaque(String tensor) {
    return values.get(tensor) instanceof Value.Opaque;
  }

  /**
   * Takes a tensor of which nothing is known for features, as layers read it.
   *
   * @param dims its extents
   * @param from the nodes that what makes it reads
   */
  void enter(String tensor, long[] dims, Collection<String> from) {
    List<Integer> image = Arrays.stream(dims).skip(1).mapToObj(Math::toIntExact).toList();
    List<String> read = from.isEmpty() ? List.of("input") : List.copyOf(from);
    String node = builder.add(tensor, new Opaque(image), read);
    entries.put(tensor, node);
    put(tensor, features(new Placed(node, dims.length == 2 ? View.Layout.FLAT : View.Layout.NCHW)));
  }

  /** The node that stands for a tensor that was {@linkplain #enter taken} for features. */
  Optional<String> entry(String tensor) {
    return Optional.ofNullable(entries.get(tensor));
  }

  /** The tensors that were taken for features. */
  Map<String, String> entries() {
    return entries;
  }

  /** Whether anything reads a tensor. */
  boolean used(String tensor) {
    return uses.containsKey(tensor);
  }

  void put(String tensor, Value value) {
    values.put(tensor, value);
  }

  /** The value of a tensor; an initializer is read from the file each time. */
  Value value(String tensor) {
    Value v = values.get(tensor);
    if (v != null) {
      return v;
    }
    OnnxMl.TensorProto t = initializers.get(tensor);
    if (t == null) {
      throw missing(tensor);
    }
    return read(t);
  }

  /** What is wrong with a node that reads a tensor which is not {@link #known}. */
  static Broken missing(String tensor) {
    return new Broken(
        "reads "
            + Text.name(tensor)
            + ", which nothing before it makes (a cycle, or a node is missing)");
  }

  Constant read(OnnxMl.TensorProto t) {
    try {
      return file.read(t);
    } catch (IOException e) {
      throw new SecateurException("cannot read external data (" + e.getMessage() + ")", e);
    }
  }

  boolean isInitializer(String tensor) {
    return !values.containsKey(tensor) && initializers.containsKey(tensor);
  }

  /** Extents of a tensor for a message. */
  String describe(String tensor) {
    Value v = values.get(tensor);
    OnnxMl.TensorProto t = initializers.get(tensor);
    if (v instanceof Value.Features f) {
      return Text.name(tensor) + " " + Text.dims(f.view().dims());
    }
    if (v instanceof Constant c) {
      return Text.name(tensor) + " constant " + Text.dims(c.dims());
    }
    if (v == null && t != null) {
      return Text.name(tensor)
          + " constant "
          + Text.dims(t.getDimsList().stream().mapToLong(Long::longValue).toArray());
    }
    return Text.name(tensor);
  }

  /**
   * Features as they are, with what is pending. Where more than one node reads the tensor, that is
   * put into the graph first, so that they share it.
   */
  Value.Features raw(String tensor) {
    if (value(tensor) instanceof Value.Moment m && m.kind() == Value.Moment.Kind.MEAN) {
      values.put(tensor, mean(tensor, m.x())); // it begins no layer norm
    }
    if (!(value(tensor) instanceof Value.Features f)) {
      throw new IllegalArgumentException(
          Text.name(tensor) + " is not known to be a tensor of features (N,C,...)");
    }
    boolean alone = uses.getOrDefault(tensor, 0) == 1;
    if (!alone) {
      f = settle(f);
      values.put(tensor, f);
    }
    return new Value.Features(f.node(), f.view(), f.affine(), f.sole() && alone);
  }

  /** The mean over the channels, which stay an axis. */
  private Value.Features mean(String tensor, Value.Features x) {
    Placed at = place(x);
    if (at.layout() == View.Layout.FLAT) {
      throw new IllegalArgumentException(Text.name(tensor) + " is a mean over features");
    }
    Op op = new ReduceChannels(PoolSpec.Kind.AVERAGE, builder.shape(at.node()).size(1));
    return features(new Placed(builder.add(tensor, op, List.of(at.node())), at.layout()));
  }

  /** Features with nothing pending. */
  Value.Features features(String tensor) {
    Value.Features f = settle(raw(tensor));
    values.put(tensor, f);
    return f;
  }

  Value.Features settle(Value.Features f) {
    if (f.affine().isEmpty()) {
      return f;
    }
    String node = builder.affine(f.node(), f.affine().get(), f.sole());
    boolean sole = f.sole() || !node.equals(f.node());
    return new Value.Features(node, f.view(), Optional.empty(), sole);
  }

  /** All of a node's output, in its own order. */
  Value.Features features(Placed p) {
    View view = View.of(builder.shape(p.node()), batch, p.layout());
    return new Value.Features(p.node(), view, Optional.empty(), true);
  }

  /**
   * The features as a node's output in the order of a layout, by a flatten or a selection where
   * they are not.
   */
  Placed place(Value.Features unsettled) {
    Value.Features f = settle(unsettled);
    Optional<long[]> image = f.view().unflattened();
    if (f.view().layout().isEmpty() && image.isPresent()) {
      int h = Math.toIntExact(image.get()[0]);
      int w = Math.toIntExact(image.get()[1]);
      String y =
          unflattened.computeIfAbsent(
              f.node() + " " + h + " " + w,
              k -> builder.add(f.node() + ".unflatten", new Unflatten(h, w), List.of(f.node())));
      return new Placed(y, f.view().rank() == 4 ? View.Layout.NCHW : View.Layout.NCL);
    }
    View.Layout layout =
        f.view()
            .layout()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "reads a tensor of "
                            + Text.dims(f.view().dims())
                            + ", which is no (N,C,H,W), (N,H,W,C), (N,C,L) or (N,C) of a layer's output"));
    Shape s = builder.shape(f.node());
    if (layout == View.Layout.FLAT) {
      String flat = flat(f.node());
      return new Placed(select(flat, f.view().order(1)), layout);
    }
    int[] order = f.view().order(layout.channels());
    int each = Math.toIntExact(s.dim(2) * s.dim(3));
    for (int i = 0; i < order.length; i++) {
      order[i] /= each;
    }
    return new Placed(select(f.node(), order), layout);
  }

  /** The features as a whole node's output in its own order, where they are that. */
  Optional<Placed> whole(String tensor) {
    if (!(values.get(tensor) instanceof Value.Features f)) {
      return Optional.empty();
    }
    Optional<View.Layout> layout = f.view().layout();
    Shape s = builder.shape(f.node());
    boolean known =
        layout.isPresent()
            && !(builder.op(f.node()) instanceof Softmax)
            && (layout.get() == View.Layout.FLAT) == (s.rank() == 2 || f.view().rank() == 2);
    if (!known) {
      return Optional.empty();
    }
    int each = layout.get() == View.Layout.FLAT ? 1 : Math.toIntExact(s.dim(2) * s.dim(3));
    int[] order = f.view().order(layout.get().channels());
    boolean all = (long) order.length * each == s.elements();
    for (int i = 0; i < order.length; i++) {
      all &= order[i] == i * each;
    }
    return all ? Optional.of(place(features(tensor))) : Optional.empty();
  }

  /** The node, or a flatten behind it. */
  String flat(String node) {
    if (builder.shape(node).rank() == 2) {
      return node;
    }
    return flattened.computeIfAbsent(
        node, n -> builder.add(n + ".flatten", new Flatten(), List.of(n)));
  }

  /** The node, or those of its channels that are given. */
  String select(String node, int[] channels) {
    boolean all = channels.length == builder.shape(node).dim(1);
    for (int i = 0; all && i < channels.length; i++) {
      all = channels[i] == i;
    }
    if (all) {
      return node;
    }
    if (builder.op(node) instanceof SelectChannels before) {
      int[] first = Arrays.stream(channels).map(before.channels()::get).toArray();
      return select(builder.input(node), first);
    }
    List<Integer> list = Arrays.stream(channels).boxed().toList();
    return builder.add(node + ".select", new SelectChannels(list), List.of(node));
  }
}
