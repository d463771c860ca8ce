package dev.secateur.pls;

import dev.secateur.SecateurException;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;

/**
 * PLS regression from covariances (improved kernel PLS: Dayal and MacGregor, 1997) with X and Y
 * centred and scaled to unit variance, and the variable importance in projection of its features.
 * Equal to scikit-learn's PLSRegression. Everything runs on the device; the host reads the VIP
 * only.
 */
public final class PlsFit {
  private PlsFit() {}

  /**
   * VIP of each feature (paper, section 3): the mean of its squares is 1.
   *
   * @param components c, at least 1
   * @throws SecateurException when the data has fewer than {@code components} directions that tell
   *     the classes apart
   */
  public static float[] vip(CrossProducts sums, int components) {
    int p = sums.features();
    int q = sums.classes();
    if (components < 1 || components > Math.min(p, q)) {
      throw new SecateurException(
          "components "
              + components
              + ": expected 1 to "
              + Math.min(p, q)
              + " (features "
              + p
              + ", classes "
              + q
              + ")");
    }
    Device d = sums.device();
    sums.finish();
    try (Arena arena = d.newArena()) {
      Tensor factorX = arena.doubles(p);
      Tensor factorY = arena.doubles(q);
      Tensor s = arena.doubles(q, p); // YᵀX, centred and scaled, then deflated
      Tensor n = sums.samples();
      d.inverseDeviation(sums.squares(), sums.sumX(), n, factorX).launch();
      d.inverseDeviation(sums.sumY(), sums.sumY(), n, factorY).launch();
      d.standardize(sums.crossYx(), sums.sumY(), sums.sumX(), n, factorY, factorX, s).launch();

      Tensor weights = arena.doubles(components, p);
      Tensor rotations = arena.doubles(components, p);
      Tensor loadings = arena.doubles(components, p);
      Tensor strength = arena.doubles(components);
      Tensor gram = arena.doubles(q, q);
      Tensor eigenvalues = arena.doubles(q);
      Tensor scaled = arena.doubles(1, p);
      Tensor u = arena.doubles(1, p);
      Tensor yLoading = arena.doubles(1, q);
      Tensor scalar = arena.doubles(1);
      Tensor cell = scalar.reshape(Shape.of(1, 1));
      Tensor rowFactor = factorX.reshape(Shape.of(1, p));
      Tensor rowSum = sums.sumX().reshape(Shape.of(1, p));
      List<Kernel> product = sums.multiply(scaled, u, arena);
      for (int a = 0; a < components; a++) {
        Tensor w = weights.view((long) a * p, Shape.of(1, p));
        Tensor r = rotations.view((long) a * p, Shape.of(1, p));
        Tensor loading = loadings.view((long) a * p, Shape.of(1, p));
        // w: the dominant right singular vector of S, from the q x q matrix S Sᵀ
        d.gemm(false, true, 1, s, s, 0, gram).launch();
        d.eigenSymmetric(gram, eigenvalues).launch();
        Tensor v = gram.view((long) (q - 1) * q, Shape.of(1, q));
        d.gemm(false, false, 1, v, s, 0, w).launch();
        d.gemm(false, true, 1, w, w, 0, cell).launch();
        d.scaleByPower(w, scalar, -0.5).launch();
        // r: w without the earlier loadings
        d.copy(w, r).launch();
        if (a > 0) {
          Tensor earlier = arena.doubles(1, a);
          Shape before = Shape.of(a, p);
          d.gemm(false, true, 1, w, loadings.view(0, before), 0, earlier).launch();
          d.gemm(false, false, -1, earlier, rotations.view(0, before), 1, r).launch();
        }
        // u = C r with C = D (XᵀX - ΣX ΣXᵀ / n) D
        d.multiply(r, rowFactor, scaled).launch();
        product.forEach(Kernel::launch);
        d.gemm(false, true, 1, scaled, rowSum, 0, cell).launch();
        d.scaleByPower(scalar, n, -1).launch();
        d.gemm(false, false, -1, cell, rowSum, 1, u).launch();
        d.multiply(u, rowFactor, u).launch();
        // tt = rᵀ u, p = u / tt, q = S r / tt
        d.gemm(false, true, 1, u, r, 0, cell).launch();
        d.copy(u, loading).launch();
        d.scaleByPower(loading, scalar, -1).launch();
        d.gemm(false, true, 1, r, s, 0, yLoading).launch();
        d.scaleByPower(yLoading, scalar, -1).launch();
        // s_a = tt qᵀq; S = S - tt q pᵀ
        Tensor own = strength.view(a, Shape.of(1));
        d.gemm(false, true, 1, yLoading, yLoading, 0, own.reshape(Shape.of(1, 1))).launch();
        d.scaleByPower(own, scalar, 1).launch();
        d.gemm(true, false, -1, yLoading, u, 1, s).launch();
      }
      Tensor vip = arena.floats(p);
      d.vip(weights, strength, vip).launch();
      float[] out = d.downloadFloats(vip);
      for (float f : out) {
        if (!Float.isFinite(f)) {
          throw new SecateurException(
              "PLS with "
                  + components
                  + " components has no solution on this data: "
                  + "expected at least two classes and features that vary");
        }
      }
      return out;
    }
  }
}
