package dev.secateur.pls;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The sums that PLS needs, gathered batch by batch on the device: with F (samples x features) and Y
 * the one-hot labels, n, ΣF, ΣY, FᵀF, FᵀY and YᵀY. Memory grows with features² and not with the
 * number of samples. F is shifted by the first batch's column means, so that a batch's FᵀF in
 * single precision keeps its digits; batches are added up in double precision.
 */
public final class StreamingCovariance implements AutoCloseable {
  private final Device device;
  private final Arena arena;
  private final int features;
  private final int classes;
  private final Tensor n;
  private final Tensor sumX;
  private final Tensor sumY;
  private final Tensor xx;
  private final Tensor xy;
  private final Tensor yy;
  private final Tensor shift;
  private final Tensor batchXx;
  private final Map<Source, List<Kernel>> compiled = new HashMap<>();
  private boolean shifted;

  private record Source(Tensor features, Tensor labels, int rows) {}

  public StreamingCovariance(Device device, int features, int classes) {
    this.device = device;
    this.features = features;
    this.classes = classes;
    arena = device.newArena();
    n = arena.doubles(1);
    sumX = arena.doubles(features);
    sumY = arena.doubles(classes);
    xx = arena.doubles(features, features);
    xy = arena.doubles(features, classes);
    yy = arena.doubles(classes, classes);
    shift = arena.floats(features);
    batchXx = arena.floats(features, features);
  }

  /**
   * Adds the first {@code rows} samples of a batch. Work for the same tensors is compiled once.
   *
   * @param x F32 (batch, features)
   * @param labels I32 (batch)
   * @throws IllegalArgumentException when the shapes do not fit
   */
  public void accumulate(Tensor x, Tensor labels, int rows) {
    if (x.shape().rank() != 2
        || x.shape().dim(1) != features
        || rows < 1
        || rows > x.shape().dim(0)
        || labels.elements() < rows) {
      throw new IllegalArgumentException(
          "features "
              + x.shape()
              + ", labels "
              + labels.shape()
              + ", rows "
              + rows
              + "; expected "
              + features
              + " features");
    }
    Tensor part = x.view(0, Shape.of(rows, features));
    Tensor partLabels = labels.view(0, Shape.of(rows));
    if (!shifted) {
      shiftBy(part, rows);
      shifted = true;
    }
    compiled
        .computeIfAbsent(new Source(x, labels, rows), s -> compile(part, partLabels, rows))
        .forEach(Kernel::launch);
  }

  private void shiftBy(Tensor x, int rows) {
    try (Arena scratch = device.newArena()) {
      Tensor wide = scratch.doubles(rows, features);
      Tensor ones = scratch.doubles(1, rows);
      Tensor mean = scratch.doubles(1, features);
      device.copy(x, wide).launch();
      device.fill(ones, 1).launch();
      device.gemm(false, false, 1.0 / rows, ones, wide, 0, mean).launch();
      device.copy(mean.reshape(shift.shape()), shift).launch();
      device.synchronize();
    }
  }

  private List<Kernel> compile(Tensor x, Tensor labels, int rows) {
    Tensor centred = arena.floats(rows, features);
    Tensor oneHot = arena.floats(rows, classes);
    Tensor wideX = arena.doubles(rows, features);
    Tensor wideY = arena.doubles(rows, classes);
    Tensor ones = arena.allocate(Shape.of(1, rows), DType.F64, Layout.PLAIN);
    device.fill(ones, 1).launch();
    List<Kernel> k = new ArrayList<>();
    k.add(device.shiftColumns(x, shift, centred));
    k.add(device.oneHot(labels, oneHot));
    k.add(device.syrk(1, centred, 0, batchXx));
    k.add(device.accumulate(batchXx, xx));
    k.add(device.copy(centred, wideX));
    k.add(device.copy(oneHot, wideY));
    k.add(device.gemm(true, false, 1, wideX, wideY, 1, xy));
    k.add(device.syrk(1, wideY, 1, yy));
    k.add(device.gemm(false, false, 1, ones, wideX, 1, sumX.reshape(Shape.of(1, features))));
    k.add(device.gemm(false, false, 1, ones, wideY, 1, sumY.reshape(Shape.of(1, classes))));
    k.add(device.gemm(false, true, 1, ones, ones, 1, n.reshape(Shape.of(1, 1))));
    return k;
  }

  /** Bytes of device memory held. */
  public long bytes() {
    return arena.bytes();
  }

  Device device() {
    return device;
  }

  int features() {
    return features;
  }

  int classes() {
    return classes;
  }

  Tensor samples() {
    return n;
  }

  Tensor sumX() {
    return sumX;
  }

  Tensor sumY() {
    return sumY;
  }

  Tensor crossXx() {
    return xx;
  }

  Tensor crossXy() {
    return xy;
  }

  Tensor crossYy() {
    return yy;
  }

  @Override
  public void close() {
    arena.close();
  }
}
