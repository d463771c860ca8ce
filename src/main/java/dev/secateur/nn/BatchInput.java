package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Moves;
import dev.secateur.nn.op.Fit;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/**
 * What a program reads of a batch, in one piece of device memory, so that one copy brings it.
 *
 * @param all U8, the whole of it; every part begins at a multiple of 64 bytes, pixels at 0
 * @param pixels U8 (N,C,H,W), PLAIN
 * @param labels I32 (N)
 * @param crops I32 (N,3), see {@link Moves#imageInput}; of programs that crop
 * @param mixing how images are mixed; of programs that do
 */
public record BatchInput(
    Tensor all, Tensor pixels, Tensor labels, Optional<Tensor> crops, Optional<Mixing> mixing) {
  private static final long ALIGNMENT = 64;

  /**
   * @param images (N,C,H,W)
   */
  public static BatchInput of(Shape images, boolean crops, boolean mixes, Arena arena) {
    long n = images.dim(0);
    Shape marks = Shape.of(n);
    Shape places = Shape.of(n, 3);
    Shape integers = Shape.of((1 + Moves.MIX_PLAN) * n);
    Shape floats = Shape.of(2 * n);
    long[] ends = new long[5];
    ends[0] = end(0, images, DType.U8);
    ends[1] = end(ends[0], marks, DType.I32);
    ends[2] = crops ? end(ends[1], places, DType.I32) : ends[1];
    ends[3] = mixes ? end(ends[2], integers, DType.I32) : ends[2];
    ends[4] = mixes ? end(ends[3], floats, DType.F32) : ends[3];
    Tensor all = arena.allocate(Shape.of(ends[4]), DType.U8, Layout.PLAIN);
    return new BatchInput(
        all,
        part(all, 0, images, DType.U8),
        part(all, ends[0], marks, DType.I32),
        crops ? Optional.of(part(all, ends[1], places, DType.I32)) : Optional.empty(),
        mixes
            ? Optional.of(
                new Mixing(
                    part(all, ends[2], integers, DType.I32), part(all, ends[3], floats, DType.F32)))
            : Optional.empty());
  }

  private static long end(long start, Shape shape, DType type) {
    return Fit.up(start + shape.elements() * type.bytes(), ALIGNMENT);
  }

  private static Tensor part(Tensor all, long at, Shape shape, DType type) {
    return new Tensor(all.buffer(), all.byteOffset() + at, shape, type, Layout.PLAIN);
  }

  /** Byte of {@link #all} at which a part begins. */
  public int place(Tensor part) {
    return Math.toIntExact(part.byteOffset() - all.byteOffset());
  }
}
