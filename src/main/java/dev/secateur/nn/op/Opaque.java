package dev.secateur.nn.op;

import dev.secateur.SecateurException;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import java.util.List;
import java.util.OptionalLong;

/**
 * What nodes of an ONNX file that are no operations here make of the layers that they read: its
 * channels and theirs stay. The nodes themselves are carried along with the model; a network that
 * has such a part runs in ONNX Runtime only.
 *
 * @param dims of its output for one image, without the batch: (C,H,W) or (features)
 */
public record Opaque(List<Integer> dims) implements Op {
  static final OpType<Opaque> TYPE =
      new OpType<>(
          "Opaque",
          Opaque.class,
          (op, to) -> to.put("dims", op.dims),
          a -> new Opaque(a.wholes("dims")));

  public Opaque {
    dims = List.copyOf(dims);
  }

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "opaque";
  }

  @Override
  public Shape output(List<Shape> in) {
    if (dims.size() != 1 && dims.size() != 3) {
      throw new IllegalArgumentException("makes " + dims + ", neither (C,H,W) nor (features)");
    }
    dims.forEach(Fit::positive);
    return dims.size() == 1
        ? Shape.of(1, dims.get(0))
        : Shape.of(1, dims.get(0), dims.get(1), dims.get(2));
  }

  @Override
  public void flow(ChannelFlow flow) {
    flow.fix();
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.empty();
  }

  /**
   * @throws SecateurException always
   */
  @Override
  public Kernel forward(Operands o) {
    throw new SecateurException(
        "the network runs whole in ONNX Runtime only: nodes that are no layers here are in front"
            + " of layers; it is pruned by criteria on weights, without images");
  }
}
