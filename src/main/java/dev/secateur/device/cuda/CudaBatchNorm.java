package dev.secateur.device.cuda;

import dev.secateur.device.Arena;
import dev.secateur.device.BatchNormTraining;
import dev.secateur.device.Kernel;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Tensor;

/**
 * Batch norm in training by our own kernels, for any order, type and number of channels;
 * kernels/norm.inc. x is read twice and y written once, backward x and dy twice and dx written
 * once, ReLU included.
 */
final class CudaBatchNorm {
  /** Channels to a block. */
  private static final int TILE = 32;

  /** Blocks that fill a large GPU. */
  private static final int BLOCKS = 512;

  /** Rows that are worth a block, or images where planes lie by themselves. */
  private static final int LEAST_ROWS = 64;

  private static final int LEAST_IMAGES = 8;

  private final CudaKernels kernels;
  private final CudaWorkspace workspace;

  CudaBatchNorm(CudaKernels kernels, CudaWorkspace workspace) {
    this.kernels = kernels;
    this.workspace = workspace;
  }

  TrainingKernels training(BatchNormTraining n, Arena arena) {
    long channels = n.channels();
    long rows = n.rows();
    boolean last = Order.last(n.x());
    String order = last ? "" : "_planes";
    long tiles = last ? (channels + TILE - 1) / TILE : channels;
    long tile = last ? tiles : Order.pixels(n.x());
    long summed = last ? rows : n.x().shape().dim(0);
    long least = last ? LEAST_ROWS : LEAST_IMAGES;
    long most = Math.min((summed + least - 1) / least, Math.max(1, BLOCKS / tiles));
    long part = (summed + most - 1) / most;
    long parts = (summed + part - 1) / part;
    long inner = Order.inner(n.x());
    workspace.reserve(2 * parts * channels * Float.BYTES);
    Tensor mean = arena.floats(channels);
    Tensor inverse = arena.floats(channels);
    Kernel sums =
        kernels
            .launch("norm_sums" + order, n.x().dtype())
            .arg(n.x())
            .workspace(0)
            .arg(summed)
            .arg(channels)
            .arg(part)
            .arg(tile)
            .blocks(tiles * parts);
    Kernel statistics =
        kernels
            .launch("norm_statistics", n.x().dtype())
            .arg(n.x())
            .workspace(0)
            .arg(parts)
            .arg(rows)
            .arg(channels)
            .arg(inner)
            .arg(n.runningMean())
            .arg(n.runningVariance())
            .arg(n.momentum())
            .arg(n.eps())
            .arg(mean)
            .arg(inverse)
            .blocks(tiles);
    Kernel apply =
        kernels
            .launch("norm_apply", n.x().dtype())
            .arg(n.x())
            .arg(n.y())
            .arg(n.gamma())
            .arg(n.beta())
            .arg(mean)
            .arg(inverse)
            .arg(n.x().elements())
            .arg(channels)
            .arg(inner)
            .arg(n.relu())
            .over(n.x());
    Kernel gradientSums =
        kernels
            .launch("norm_gradient_sums" + order, n.x().dtype())
            .arg(n.x())
            .arg(n.dy())
            .arg(n.gamma())
            .arg(n.beta())
            .arg(mean)
            .arg(inverse)
            .arg(n.relu())
            .workspace(0)
            .arg(summed)
            .arg(channels)
            .arg(part)
            .arg(tile)
            .blocks(tiles * parts);
    Kernel gradient =
        kernels
            .launch("norm_gradient", n.x().dtype())
            .workspace(0)
            .arg(parts)
            .arg(channels)
            .arg(n.dgamma())
            .arg(n.dbeta())
            .blocks(tiles);
    Kernel gradientApply =
        kernels
            .launch("norm_gradient_apply", n.x().dtype())
            .arg(n.x())
            .arg(n.dy())
            .arg(n.dx())
            .arg(n.gamma())
            .arg(n.beta())
            .arg(mean)
            .arg(inverse)
            .arg(n.dgamma())
            .arg(n.dbeta())
            .arg(n.x().elements())
            .arg(channels)
            .arg(inner)
            .arg(n.relu())
            .over(n.x());
    return new TrainingKernels(
        inTurn(sums, statistics, apply), inTurn(gradientSums, gradient, gradientApply));
  }

  private static Kernel inTurn(Kernel a, Kernel b, Kernel c) {
    return () -> {
      a.launch();
      b.launch();
      c.launch();
    };
  }
}
