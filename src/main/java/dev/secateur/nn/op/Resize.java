package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.device.ResizeSpec;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** Height and width by interpolation. */
public record Resize(ResizeSpec spec) implements Op {
  static final OpType<Resize> TYPE =
      new OpType<>(
          "Resize",
          Resize.class,
          (op, to) ->
              to.object(
                  "spec",
                  s ->
                      s.put("height", op.spec.height())
                          .put("width", op.spec.width())
                          .put("mode", name(op.spec.mode()))
                          .put("coordinates", name(op.spec.coordinates()))),
          a ->
              new Resize(
                  a.object(
                      "spec",
                      s ->
                          new ResizeSpec(
                              s.whole("height"),
                              s.whole("width"),
                              s.choice("mode", ResizeSpec.Mode.values(), Resize::name),
                              s.choice(
                                  "coordinates", ResizeSpec.Coordinates.values(), Resize::name)))));

  private static String name(ResizeSpec.Mode m) {
    return switch (m) {
      case NEAREST -> "NEAREST";
      case BILINEAR -> "BILINEAR";
    };
  }

  private static String name(ResizeSpec.Coordinates c) {
    return switch (c) {
      case ASYMMETRIC -> "ASYMMETRIC";
      case HALF_PIXEL -> "HALF_PIXEL";
      case ALIGN_CORNERS -> "ALIGN_CORNERS";
    };
  }

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "resize";
  }

  @Override
  public Shape output(List<Shape> in) {
    return Shape.of(1, in.get(0).dim(1), Fit.positive(spec.height()), Fit.positive(spec.width()));
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

  @Override
  public Kernel forward(Operands o) {
    return o.device().moves().resize(spec, o.first(), o.y());
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    return o.device().moves().resizeBackward(spec, dy, dx);
  }
}
