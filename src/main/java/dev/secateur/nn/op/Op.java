package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;

/**
 * What a node of a network computes. Each operation says in its own file all that is to be known of
 * it: its shape, its parameters, how channels go through it, what is left of it when channels are
 * removed, what it costs, its name in files, and its kernels in both directions. Numbers live
 * elsewhere, in {@code nn.Model}.
 *
 * <p>A new operation is a file here, an entry in {@code permits} and in {@link Types#ALL}, and a
 * line each in the tables of importers and exporters.
 */
public sealed interface Op
    permits Input,
        Convolution,
        TransposedConvolution,
        Linear,
        BatchNorm,
        LayerNorm,
        GroupNorm,
        Activate,
        Elementwise,
        Softmax,
        Pool,
        GlobalPool,
        Add,
        Multiply,
        Concat,
        SelectChannels,
        Pad,
        Border,
        Resize,
        Shortcut,
        Flatten,
        PixelShuffle,
        PRelu,
        LocalResponseNorm,
        ReduceChannels,
        Spread,
        Unflatten,
        Opaque,
        Identity {

  /** All operations, as files name them. */
  final class Types {
    public static final List<OpType<?>> ALL =
        List.of(
            Input.TYPE,
            Convolution.TYPE,
            TransposedConvolution.TYPE,
            Linear.TYPE,
            BatchNorm.TYPE,
            LayerNorm.TYPE,
            GroupNorm.TYPE,
            Activate.TYPE,
            Elementwise.TYPE,
            Softmax.TYPE,
            Pool.TYPE,
            GlobalPool.TYPE,
            Add.TYPE,
            Multiply.TYPE,
            Concat.TYPE,
            SelectChannels.TYPE,
            Pad.TYPE,
            Border.TYPE,
            Resize.TYPE,
            Shortcut.TYPE,
            Flatten.TYPE,
            PixelShuffle.TYPE,
            PRelu.TYPE,
            LocalResponseNorm.TYPE,
            ReduceChannels.TYPE,
            Spread.TYPE,
            Unflatten.TYPE,
            Opaque.TYPE,
            Identity.TYPE);

    static {
      Set<Class<?>> listed = new HashSet<>();
      ALL.forEach(t -> listed.add(t.type()));
      complete("Op.Types", listed);
    }

    private Types() {}

    /**
     * For tables by operation, when they are loaded.
     *
     * @throws IllegalStateException where an operation is missing
     */
    public static void complete(String table, Set<Class<?>> listed) {
      for (Class<?> op : Op.class.getPermittedSubclasses()) {
        if (!listed.contains(op)) {
          throw new IllegalStateException(table + " lacks " + op.getSimpleName());
        }
      }
    }
  }

  /** Its kind, with its name in files. */
  OpType<?> type();

  /** What it is called where there is little room, such as "conv 3x3/2". */
  String label();

  // ---- shapes ----------------------------------------------------------------------------------

  /**
   * The shape of its output for one image.
   *
   * @param in shapes of what it reads, for one image: (1,C,H,W) or (1,features)
   * @throws IllegalArgumentException when the inputs do not fit
   */
  Shape output(List<Shape> in);

  /**
   * The shapes of its parameters by their last names, such as "weight".
   *
   * @param in channels (or features) that it reads
   * @param width channels (or features) of its output
   */
  default Map<String, Shape> parameters(long in, long width) {
    return Map.of();
  }

  /** Multiply-accumulates for one image, counted as the field does; FLOPs are twice as many. */
  default long macs(Shape in, Shape out) {
    return 0;
  }

  // ---- channels --------------------------------------------------------------------------------

  /** Says which channels are coupled: they can only stay or go together. */
  void flow(ChannelFlow flow);

  /** Whether its outputs are filters': those of convolutions, plain or transposed, are. */
  default boolean hasFilters() {
    return this instanceof FilterBank;
  }

  /** Whether it computes new channels from its inputs' (it has a weight with both axes). */
  default boolean mixesChannels() {
    return false;
  }

  /** Whether it hands the channels of its one input on, each by itself. */
  default boolean passesChannels() {
    return false;
  }

  /** Groups that channels are mixed in; 1 where not in groups. */
  default int groups() {
    return 1;
  }

  /**
   * Whether each of several groups reads a single channel.
   *
   * @param channels that it reads
   */
  default boolean depthwise(long channels) {
    return groups() > 1 && groups() == channels;
  }

  /** Whether channels are coupled by it that would not be: of several layers, or of groups. */
  default boolean couples() {
    return groups() > 1;
  }

  /**
   * What becomes of a channel that is {@code value} everywhere; empty where that is not one number
   * everywhere, or depends on more. Operations with {@link #mixesChannels} and norms are not asked.
   */
  default OptionalDouble constant(double value) {
    return OptionalDouble.empty();
  }

  /**
   * The same operation on other numbers of channels (or features). One whose output channels are
   * not its own to choose stays as it is.
   *
   * @param before channels that it reads now, which tell a depthwise convolution: its groups follow
   * @param in channels that it is to read
   * @param out channels that it is to put out
   */
  default Op resized(int before, int in, int out) {
    return this;
  }

  /** What is left of it when channels are removed. */
  default Op kept(KeptChannels kept) {
    return kept.inputs() == 0
        ? this
        : resized(kept.before(0), kept.in(0).length, kept.out().length);
  }

  /** What is left of its parameters when channels are removed, by their last names. */
  default Map<String, ParameterCut> cuts(KeptChannels kept) {
    return Map.of();
  }

  /** One that costs what this does with other widths, whichever channels are kept. */
  default Op typical(int before, int in, int out) {
    return resized(before, in, out);
  }

  /**
   * The channels of its output in a program that has more than the network, for speed; the
   * additional ones lie behind.
   *
   * @param in shapes that it reads, without additional channels
   * @param wide channels of these with them
   * @param out channels of the result without
   * @param multiple what numbers of channels should be multiples of
   * @return none where additional channels of zeros would change what it computes
   */
  OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple);

  /**
   * The same operation with additional channels.
   *
   * @param before channels that it reads without
   */
  default Op widened(int before, int in, int out) {
    return resized(before, in, out);
  }

  // ---- kernels ---------------------------------------------------------------------------------

  /**
   * Whether its output is its input's memory under another shape.
   *
   * @param in the shape of its first input
   */
  default boolean isView(Shape in) {
    return false;
  }

  /** Whether the result may take the place of the first input. */
  default boolean worksInPlace() {
    return false;
  }

  /**
   * Its kernel for inference; the operation is at the widths of its operands.
   *
   * @throws IllegalStateException for one that programs see to themselves (the input)
   */
  Kernel forward(Operands o);

  /** The kernels of both directions in a training step. */
  default void train(TrainingOperands o) {
    o.forward(forward(o.operands()));
    trainWeights(o);
    for (int i = 0; i < o.operands().x().size(); i++) {
      if (o.learns(i)) {
        o.backward(backward(o.operands(), i, o.dy(), o.gradient(i)));
        o.contribute(i);
      }
    }
  }

  /**
   * The kernels of its weights' gradients, for operations whose {@link #train} is the usual one.
   */
  default void trainWeights(TrainingOperands o) {}

  /**
   * The gradient of one input, for operations whose backward needs no more than their operands.
   *
   * @param dx shaped as that input
   */
  default Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    throw new IllegalStateException("no gradient of " + this);
  }
}
