package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;

/** Sums and maxima over positions. */
public interface Reductions extends Operations {

  /**
   * db[c] = sum of dy over all axes but the channels.
   *
   * @param dy (N,C,H,W) or (N,C)
   * @param db F32 (C)
   */
  default Kernel biasBackward(Tensor dy, Tensor db) {
    contract().channels("dy", dy);
    Contract.vector("db", db, DType.F32, dy.shape().dim(1));
    return compileBiasBackward(dy, db);
  }

  Kernel compileBiasBackward(Tensor dy, Tensor db);

  /**
   * y[n,c] = Σ over height and width of a b: the gradient of {@link Pointwise#multiply} by its
   * factor.
   *
   * @param a (N,C,H,W), as b
   * @param y (N,C,1,1)
   */
  default Kernel channelProducts(Tensor a, Tensor b, Tensor y) {
    contract().image("a", a);
    contract().alike("a and b", a, b);
    contract().perChannel("y", y, a);
    return compileChannelProducts(a, b, y);
  }

  Kernel compileChannelProducts(Tensor a, Tensor b, Tensor y);

  /**
   * features[:, column : column + channels] = max or mean of x over H, W.
   *
   * @param kind MAX or AVERAGE
   * @param x (N,C,H,W) or (N,C), of which the first channels are taken
   * @param features F32 (N,p) PLAIN
   */
  default Kernel poolFeatures(
      PoolSpec.Kind kind, Tensor x, long channels, Tensor features, long column) {
    check(contract(), kind, x, channels, features, column);
    return compilePoolFeatures(kind, x, channels, features, column);
  }

  Kernel compilePoolFeatures(
      PoolSpec.Kind kind, Tensor x, long channels, Tensor features, long column);

  /** The checks of {@link #poolFeatures}. */
  static void check(
      Contract contract,
      PoolSpec.Kind kind,
      Tensor x,
      long channels,
      Tensor features,
      long column) {
    contract.channels("x", x);
    Contract.firstChannels("x", x, channels);
    Contract.plain("features", features, DType.F32, 2);
    that(kind != PoolSpec.Kind.AVERAGE_INCLUDE_PADDING, "kind must be MAX or AVERAGE", kind);
    long n = x.shape().dim(0);
    that(features.shape().dim(0) == n, "features must have " + n + " rows", features);
    boolean inside = column >= 0 && column + channels <= features.shape().dim(1);
    that(inside, "columns must lie inside of features", column, x, features);
  }
}
