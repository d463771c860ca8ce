package dev.secateur.nn.op;

import dev.secateur.device.Activation;
import dev.secateur.device.Kernel;
import dev.secateur.device.Moves;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * A border around height and width of what lies inside: mirrored at the outermost pixels, which are
 * not repeated, or these pixels again (ONNX's Pad with mode reflect or edge). Rows first, then
 * columns; cuDNN has none, so that each row of a border is moved by pads of zeros and added.
 */
public record Border(int top, int left, int bottom, int right, Kind kind) implements Op {
  static final OpType<Border> TYPE =
      new OpType<>(
          "Border",
          Border.class,
          (op, to) ->
              to.put("top", op.top)
                  .put("left", op.left)
                  .put("bottom", op.bottom)
                  .put("right", op.right)
                  .put("kind", name(op.kind)),
          a ->
              new Border(
                  a.whole("top"),
                  a.whole("left"),
                  a.whole("bottom"),
                  a.whole("right"),
                  a.choice("kind", Kind.values(), Border::name)));

  /** What the border consists of. */
  public enum Kind {
    REFLECT,
    EDGE
  }

  private static String name(Kind k) {
    return switch (k) {
      case REFLECT -> "REFLECT";
      case EDGE -> "EDGE";
    };
  }

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return FilterBank.words(kind) + " pad";
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    fits(top, bottom, x.dim(2));
    fits(left, right, x.dim(3));
    return Shape.of(1, x.dim(1), x.dim(2) + top + bottom, x.dim(3) + left + right);
  }

  private void fits(int before, int after, long size) {
    boolean mirrored = kind == Kind.REFLECT && Math.max(before, after) >= size;
    if (before < 0 || after < 0 || mirrored) {
      throw new IllegalArgumentException(
          "a border of " + before + " and " + after + " around " + size + " pixels");
    }
  }

  @Override
  public boolean passesChannels() {
    return true;
  }

  @Override
  public void flow(ChannelFlow flow) {
    flow.pass();
  }

  @Override
  public OptionalDouble constant(double value) {
    return OptionalDouble.of(value);
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(wide.get(0));
  }

  /**
   * Where the line of a border at {@code i} of {@code size} lines, counted from inside, is from.
   */
  private int source(int i, int size) {
    int inside = Math.min(Math.max(i, 0), size - 1);
    return kind == Kind.EDGE ? inside : 2 * inside - i;
  }

  @Override
  public Kernel forward(Operands o) {
    Tensor x = o.first();
    List<Kernel> all = new ArrayList<>();
    Tensor rows = room(o, o.y(), o.y().shape().with(3, x.shape().dim(3)));
    lines(o, x, 2, top, rows, true, all);
    lines(o, rows, 3, left, o.y(), true, all);
    return Kernel.each(all);
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    List<Kernel> all = new ArrayList<>();
    Tensor rows = room(o, dy, dy.shape().with(3, dx.shape().dim(3)));
    lines(o, rows, 3, left, dy, false, all);
    lines(o, dx, 2, top, rows, false, all);
    return Kernel.each(all);
  }

  private static Tensor room(Operands o, Tensor like, Shape shape) {
    return o.arena().allocate(shape, like.dtype(), like.layout());
  }

  /**
   * One axis of the border, y from x, or backward dx (here x) from dy (here y).
   *
   * @param before lines of the border in front of x's
   */
  private void lines(
      Operands o, Tensor x, int axis, int before, Tensor y, boolean forward, List<Kernel> all) {
    int size = x.shape().size(axis);
    int wide = y.shape().size(axis);
    Tensor from = forward ? x : y;
    Tensor to = forward ? y : x;
    all.add(moved(o, from, axis, forward ? before : -before, to));
    if (wide == size) {
      return;
    }
    Tensor line = room(o, x, x.shape().with(axis, 1));
    Tensor alone = room(o, to, to.shape());
    for (int j = 0; j < wide; j++) {
      int i = j - before;
      if (i < 0 || i >= size) {
        int in = source(i, size);
        all.add(moved(o, from, axis, forward ? -in : -j, line));
        all.add(moved(o, line, axis, forward ? j : in, alone));
        all.add(o.device().pointwise().add(to, alone, Activation.NONE, to));
      }
    }
  }

  /** x along an axis, so many places further on, zeros elsewhere. */
  private static Kernel moved(Operands o, Tensor x, int axis, int by, Tensor y) {
    Moves moves = o.device().moves();
    return moves.pad(x, axis == 2 ? by : 0, axis == 3 ? by : 0, 0, y);
  }
}
