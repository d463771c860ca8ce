package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.Tensor;

/** Pooling: x (N,C,H,W), y (N,C,P,Q). */
public interface Pools extends Operations {

  /** y = the maximum or mean of each window of x. */
  default Kernel forward(PoolSpec spec, Tensor x, Tensor y) {
    check(spec, x, y);
    return compileForward(spec, x, y);
  }

  Kernel compileForward(PoolSpec spec, Tensor x, Tensor y);

  /** {@link #forward} and its gradient dx. Hidden state lies in the arena. */
  default TrainingKernels training(
      PoolSpec spec, Tensor x, Tensor y, Tensor dy, Tensor dx, Arena arena) {
    check(spec, x, y);
    check(spec, dx, dy);
    Contract.sameShape("x and dx", x, dx);
    return compileTraining(spec, x, y, dy, dx, arena);
  }

  TrainingKernels compileTraining(
      PoolSpec spec, Tensor x, Tensor y, Tensor dy, Tensor dx, Arena arena);

  private void check(PoolSpec spec, Tensor x, Tensor y) {
    contract().image("x", x);
    contract().image("y", y);
    long p = spec.outHeight(x.shape().dim(2));
    long q = spec.outWidth(x.shape().dim(3));
    that(p > 0 && q > 0, "the window must not be larger than the input", x);
    Contract.shape("y", y, x.shape().with(2, p).with(3, q));
  }
}
