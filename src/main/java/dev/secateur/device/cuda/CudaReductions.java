package dev.secateur.device.cuda;

import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.Reductions;
import dev.secateur.tensor.Tensor;

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
  public Kernel compilePoolFeatures(PoolSpec.Kind kind, Tensor x, Tensor features, long column) {
    long n = x.shape().dim(0);
    long channels = x.shape().dim(1);
    long p = features.shape().dim(1);
    long pixels = Order.pixels(x);
    Launch.Builder b =
        kernels
            .launch(Order.last(x) ? "pool_features_last" : "pool_features", x.dtype())
            .arg(x)
            .arg(features)
            .arg(n)
            .arg(channels)
            .arg(pixels)
            .arg(p)
            .arg(column)
            .arg(kind == PoolSpec.Kind.MAX);
    return Order.last(x) ? b.over(n * channels) : b.rows(n * channels, pixels);
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
