package dev.secateur.pls;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What PLS needs of X (samples x features) and the one-hot labels Y, gathered batch by batch on the
 * device: n, ΣX, ΣY, YᵀX, the features' sums of squares, and the product of XᵀX with a vector. X is
 * shifted by the first batch's column means, so that single precision keeps its digits; sums over
 * chunks are in double precision.
 *
 * <p>XᵀX itself is one of two things. While the samples are few, X is kept and multiplied twice
 * (work: samples x features a product). Otherwise each chunk is folded into features x features
 * sums and forgotten, so that memory does not grow with the number of samples.
 */
public final class CrossProducts implements AutoCloseable {
  private static final long KEPT_BYTES = 64L << 20;
  private static final int CHUNK_ROWS = 1024;

  private final Device device;
  private final Arena arena;
  private final int features;
  private final int classes;
  private final int batch;
  private final int chunkBatches;
  private final boolean folding;
  private final Tensor n;
  private final Tensor sumX;
  private final Tensor sumY;
  private final Tensor squares;
  private final Tensor yx;
  private final Tensor shift;
  private final Tensor folded;
  private final Tensor chunkProduct;
  private final Shape chunkShape;

  /** Rows of X, shifted; when folding there is one chunk, used again and again. */
  private final List<Tensor> chunks = new ArrayList<>();

  private final Map<Source, List<Kernel>> compiled = new HashMap<>();
  private final Map<Integer, List<Kernel>> folds = new HashMap<>();
  private int filled;

  private record Source(Tensor features, Tensor labels, int rows, int chunk, int slot) {}

  private CrossProducts(
      Device device, int features, int classes, int batch, boolean folding, Arena arena) {
    this.device = device;
    this.features = features;
    this.classes = classes;
    this.batch = batch;
    this.folding = folding;
    chunkBatches = Math.max(1, CHUNK_ROWS / batch);
    this.arena = arena;
    n = arena.doubles(1);
    sumX = arena.doubles(features);
    sumY = arena.doubles(classes);
    squares = arena.doubles(features);
    yx = arena.doubles(classes, features);
    shift = arena.floats(features);
    folded = folding ? arena.doubles(features, features) : arena.doubles(1);
    chunkProduct = folding ? arena.floats(features, features) : arena.floats(1);
    chunkShape = Shape.of((long) chunkBatches * batch, features);
  }

  /**
   * Keeps X or folds it, whichever holds less memory; small X (64 MiB) is always kept.
   *
   * @param batch rows that {@link #accumulate} takes at most
   * @param samples rows that will come in all
   */
  public static CrossProducts of(
      Device device, int features, int classes, int batch, long samples) {
    long kept = 4L * samples * features;
    long folded = 12L * features * features;
    boolean folding = kept > Math.max(KEPT_BYTES, folded);
    return open(device, features, classes, batch, folding);
  }

  /** Keeps X, whatever its size. */
  public static CrossProducts keeping(Device device, int features, int classes, int batch) {
    return open(device, features, classes, batch, false);
  }

  /** Folds X into features x features sums. */
  public static CrossProducts folding(Device device, int features, int classes, int batch) {
    return open(device, features, classes, batch, true);
  }

  private static CrossProducts open(
      Device device, int features, int classes, int batch, boolean folding) {
    Arena arena = device.newArena();
    try {
      return new CrossProducts(device, features, classes, batch, folding, arena);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, arena);
    }
  }

  /**
   * Adds the first {@code rows} samples of a batch. Work for the same tensors is compiled once.
   *
   * @param x F32 (batch, features)
   * @param labels I32 (batch); a row whose label is below 0 does not count
   * @throws IllegalArgumentException when the shapes do not fit
   */
  public void accumulate(Tensor x, Tensor labels, int rows) {
    if (x.shape().rank() != 2
        || x.shape().dim(1) != features
        || rows < 1
        || rows > Math.min(batch, x.shape().dim(0))
        || labels.elements() < rows) {
      throw new IllegalArgumentException(
          String.format(
              "features %s, labels %s, rows %d; expected %d features and 1 to %d rows",
              x.shape(), labels.shape(), rows, features, batch));
    }
    if (filled == 0) {
      shiftBy(x.view(0, Shape.of(rows, features)), rows);
    }
    int slot = filled % chunkBatches;
    if (slot == 0 && (chunks.isEmpty() || !folding)) {
      chunks.add(arena.allocate(chunkShape, DType.F32, Layout.PLAIN));
    }
    compiled
        .computeIfAbsent(new Source(x, labels, rows, chunks.size() - 1, slot), this::compile)
        .forEach(Kernel::launch);
    filled++;
    if (folding && slot == chunkBatches - 1) {
      fold(chunkBatches);
    }
  }

  private void shiftBy(Tensor x, int rows) {
    try (Arena scratch = device.newArena()) {
      Tensor mean = scratch.floats(1, features);
      Tensor ones = scratch.floats(1, rows);
      device.moves().fill(ones, 1).launch();
      device.matrices().gemm(false, false, 1.0 / rows, ones, x, 0, mean).launch();
      device.moves().copy(mean.reshape(shift.shape()), shift).launch();
      device.synchronize();
    }
  }

  /** Takes a batch into its place in the chunk; rows that it lacks are zero. */
  private List<Kernel> compile(Source s) {
    Tensor chunk = chunks.get(s.chunk());
    long first = (long) s.slot() * batch;
    Shape part = Shape.of(s.rows(), features);
    Tensor labels = s.labels().view(0, Shape.of(s.rows()));
    Tensor to = chunk.view(first * features, part);
    List<Kernel> k = new ArrayList<>();
    Tensor x = s.features().view(0, part);
    k.add(device.pls().accumulateFeatures(x, labels, shift, to, yx, sumY, squares));
    int missing = batch - s.rows();
    if (missing > 0 && folding) {
      long after = (first + s.rows()) * features;
      k.add(device.moves().fill(chunk.view(after, Shape.of(missing, features)), 0));
    }
    return k;
  }

  private void fold(int batches) {
    folds.computeIfAbsent(batches, this::compileFold).forEach(Kernel::launch);
  }

  private List<Kernel> compileFold(int batches) {
    Tensor x = chunks.get(0).view(0, Shape.of((long) batches * batch, features));
    return List.of(
        device.matrices().syrk(1, x, 0, chunkProduct),
        device.pls().accumulate(chunkProduct, folded));
  }

  /** Takes in what is left of the last chunk, once: the next batch begins another. */
  void finish() {
    int rest = filled % chunkBatches;
    if (folding && rest > 0) {
      fold(rest);
      filled += chunkBatches - rest;
    }
    // every row has one class, so the classes' sums add up to the features' sums
    try (Arena scratch = device.newArena()) {
      Tensor every = scratch.doubles(1, classes);
      device.moves().fill(every, 1).launch();
      Tensor counts = sumY.reshape(Shape.of(1, classes));
      device.matrices().gemm(false, true, 1, every, counts, 0, n.reshape(Shape.of(1, 1))).launch();
      device
          .matrices()
          .gemm(false, false, 1, every, yx, 0, sumX.reshape(Shape.of(1, features)))
          .launch();
      device.synchronize();
    }
  }

  /** u = v XᵀX, all F64 (1, features), X shifted but neither centred nor scaled. */
  List<Kernel> multiply(Tensor v, Tensor u, Arena scratch) {
    List<Kernel> k = new ArrayList<>();
    if (folding) {
      k.add(device.matrices().gemm(false, false, 1, v, folded, 0, u));
      return k;
    }
    Tensor single = scratch.floats(1, features);
    Tensor scores = scratch.floats(1, chunkShape.dim(0));
    Tensor sum = scratch.floats(1, features);
    k.add(device.moves().copy(v, single));
    double keep = 0;
    for (Tensor x : chunks) {
      k.add(device.matrices().gemm(false, true, 1, single, x, 0, scores));
      k.add(device.matrices().gemm(false, false, 1, scores, x, keep, sum));
      keep = 1;
    }
    k.add(device.moves().copy(sum, u));
    return k;
  }

  /** XᵀX as a matrix of its own, F64 (features, features), X shifted but not centred. */
  Tensor product(Arena into) {
    Tensor out = into.doubles(features, features);
    if (folding) {
      device.moves().copy(folded, out).launch();
      return out;
    }
    try (Arena scratch = device.newArena()) {
      Tensor part = scratch.floats(features, features);
      for (Tensor x : chunks) {
        device.matrices().syrk(1, x, 0, part).launch();
        device.pls().accumulate(part, out).launch();
      }
      device.synchronize();
    }
    return out;
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

  /** F64 (1). */
  Tensor samples() {
    return n;
  }

  /** What has been taken from each row of X, F32 (features). */
  Tensor shift() {
    return shift;
  }

  /** ΣX, F64 (features). */
  Tensor sumX() {
    return sumX;
  }

  /** ΣY, F64 (classes); for one-hot labels also ΣY². */
  Tensor sumY() {
    return sumY;
  }

  /** ΣX², F64 (features). */
  Tensor squares() {
    return squares;
  }

  /** YᵀX, F64 (classes, features). */
  Tensor crossYx() {
    return yx;
  }

  @Override
  public void close() {
    arena.close();
  }
}
