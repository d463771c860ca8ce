package dev.secateur.device.cuda;

import dev.secateur.device.Activation;
import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.Norms;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.Reductions;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/** Sums and maxima over positions; kernels/layers.inc and vision.inc. */
final class CudaReductions implements Reductions {
  private final Contract contract;
  private final CudaKernels kernels;

  CudaReductions(Contract contract, CudaKernels kernels) {
    this.contract = contract;
    this.kernels = kernels;
  }

  @Override
  public Contract contract() {
    return contract;
  }

  @Override
  public Kernel compilePoolFeatures(
      PoolSpec.Kind kind, Tensor x, long count, Tensor features, long column) {
    return features(x, kind, count, features, column, Optional.empty());
  }

  /**
   * @param a what is computed in the same pass
   */
  Kernel features(
      Tensor x,
      PoolSpec.Kind kind,
      long count,
      Tensor features,
      long column,
      Optional<Norms.Affine> a) {
    long n = x.shape().dim(0);
    long channels = x.shape().dim(1);
    long wanted = a.isPresent() ? channels : count;
    int width = Order.last(x) ? neighbours(wanted) : 1;
    return kernels
        .launch("pool_features", x.dtype())
        .arg(x)
        .arg(features)
        .arg(n)
        .arg(channels)
        .arg(count)
        .arg(Order.pixels(x))
        .arg(features.shape().dim(1))
        .arg(column)
        .arg(kind == PoolSpec.Kind.MAX)
        .arg(Order.last(x))
        .arg(width)
        .arg(a.map(Norms.Affine::scale))
        .arg(a.map(Norms.Affine::shift))
        .arg(a.flatMap(Norms.Affine::residual))
        .arg(a.map(Norms.Affine::y))
        .arg(a.map(Norms.Affine::activation).orElse(Activation.NONE).ordinal())
        .rows(n * ((wanted + width - 1) / width), width * Order.pixels(x));
  }

  /** The power of two up to a warp's 32 that takes in so many channels. */
  private static int neighbours(long channels) {
    int width = 1;
    while (width < 32 && width < channels) {
      width *= 2;
    }
    return width;
  }

  @Override
  public Kernel compileBiasBackward(Tensor dy, Tensor db) {
    long channels = dy.shape().dim(1);
    long pixels = Order.pixels(dy);
    long n = dy.shape().dim(0);
    return kernels
        .launch("bias_backward", dy.dtype())
        .arg(dy)
        .arg(db)
        .arg(n)
        .arg(channels)
        .arg(pixels)
        .arg(Order.last(dy))
        .rows(channels, n * pixels);
  }

  @Override
  public Kernel compileChannelProducts(Tensor a, Tensor b, Tensor y) {
    Launch.Builder launch = kernels.launch("channel_products", a.dtype()).arg(a).arg(b).arg(y);
    return launch
        .arg(a.shape().dim(0))
        .arg(a.shape().dim(1))
        .arg(Order.pixels(a))
        .arg(Order.last(a))
        .rows(y.elements(), Order.pixels(a));
  }
}
