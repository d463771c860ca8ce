package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The image input: U8 pixels, normalised to (pixel - mean) / std. Parameters of the node {@code
 * NAME}: {@code NAME.mean}, {@code NAME.std}, (C) or (C,H,W), in pixel units (0..255).
 */
public record Input(int channels, int height, int width) implements Op {
  static final OpType<Input> TYPE =
      new OpType<>(
          "Input",
          Input.class,
          (op, to) ->
              to.put("channels", op.channels).put("height", op.height).put("width", op.width),
          a -> new Input(a.whole("channels"), a.whole("height"), a.whole("width")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "input";
  }

  @Override
  public Shape output(List<Shape> in) {
    return Shape.of(1, channels, height, width);
  }

  @Override
  public Map<String, Shape> parameters(long in, long width) {
    Map<String, Shape> out = new LinkedHashMap<>();
    out.put("mean", Shape.of(channels));
    out.put("std", Shape.of(channels));
    return out;
  }

  @Override
  public void flow(ChannelFlow flow) {
    flow.fix();
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(Fit.up(out, multiple));
  }

  @Override
  public Kernel forward(Operands o) {
    throw new IllegalStateException("programs read their input themselves");
  }
}
