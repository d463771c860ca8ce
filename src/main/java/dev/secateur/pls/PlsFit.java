package dev.secateur.pls;

import dev.secateur.SecateurException;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.device.Matrices;
import dev.secateur.device.Moves;
import dev.secateur.device.Pls;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * PLS regression from covariances (improved kernel PLS: Dayal and MacGregor, 1997) with X and Y
 * centred, Y scaled to unit variance and X by a {@link ColumnScale}, and the variable importance in
 * projection of its features. Equal to scikit-learn's PLSRegression. Everything runs on the device;
 * the host reads the VIP only.
 */
public final class PlsFit {
  private PlsFit() {}

  /**
   * Whether so many components can be found.
   *
   * @throws SecateurException for fewer than one, or more than there are features or classes
   */
  public static void check(int components, int features, int classes) {
    int most = Math.min(features, classes);
    if (components < 1 || components > most) {
      throw new SecateurException(
              "components "
                  + components
                  + ": expected 1 to "
                  + most
                  + " (features "
                  + features
                  + ", classes "
                  + classes
                  + ")")
          .about("scoring.components");
    }
  }

  /**
   * VIP of each feature (paper, section 3): the mean of its squares is 1.
   *
   * @param components c, at least 1
   * @throws SecateurException when the data has fewer than {@code components} directions that tell
   *     the classes apart
   */
  public static float[] vip(CrossProducts sums, int components) {
    return vip(sums, components, ColumnScale.UNIT);
  }

  /** The same with columns scaled otherwise. */
  public static float[] vip(CrossProducts sums, int components, ColumnScale scale) {
    try (Arena arena = sums.device().newArena()) {
      Directions found = solve(sums, components, scale, arena);
      Tensor vip = arena.floats(sums.features());
      sums.device().pls().vip(found.weights(), found.strength(), vip).launch();
      float[] out = sums.device().downloadFloats(vip);
      if (!finite(out)) {
        throw new SecateurException(
            "PLS with "
                + components
                + " components has no solution on this data: "
                + "expected at least two classes and features that vary");
      }
      return out;
    }
  }

  /**
   * The way from features to scores: t = rotations (x - means), with x as it came. Equal to
   * scikit-learn's transform, up to the components' signs.
   *
   * @return empty where {@link #vip} has no solution
   * @throws SecateurException for a number of components that cannot be
   */
  public static Optional<Projection> projection(CrossProducts sums, int components) {
    Device d = sums.device();
    int p = sums.features();
    try (Arena arena = d.newArena()) {
      Directions found = solve(sums, components, ColumnScale.UNIT, arena);
      Tensor single = arena.floats(components, p);
      for (int a = 0; a < components; a++) {
        Tensor r = found.rotations().view((long) a * p, Shape.of(p));
        d.pls().multiply(r, found.factorX(), r).launch();
        d.moves().copy(r, single.view((long) a * p, Shape.of(p))).launch();
      }
      Tensor n = arena.floats(1);
      Tensor sumX = arena.floats(p);
      d.moves().copy(sums.samples(), n).launch();
      d.moves().copy(sums.sumX(), sumX).launch();
      float[] rotations = d.downloadFloats(single);
      float[] means = d.downloadFloats(sumX);
      float[] shift = d.downloadFloats(sums.shift());
      float rows = d.downloadFloats(n)[0];
      for (int j = 0; j < p; j++) {
        means[j] = shift[j] + means[j] / rows;
      }
      return finite(rotations)
          ? Optional.of(new Projection(components, rotations, means))
          : Optional.empty();
    }
  }

  private static boolean finite(float[] values) {
    for (float f : values) {
      if (!Float.isFinite(f)) {
        return false;
      }
    }
    return true;
  }

  /**
   * What is found, F64, on the device.
   *
   * @param weights (components, features), of the deflated S
   * @param rotations (components, features), of X itself, centred and scaled
   * @param strength (components): the variance of Y that each explains
   * @param factorX (features): what columns are multiplied with
   */
  private record Directions(Tensor weights, Tensor rotations, Tensor strength, Tensor factorX) {}

  private static Directions solve(
      CrossProducts sums, int components, ColumnScale scale, Arena results) {
    int p = sums.features();
    int q = sums.classes();
    check(components, p, q);
    Device d = sums.device();
    Matrices matrices = d.matrices();
    Pls pls = d.pls();
    Moves moves = d.moves();
    sums.finish();
    Tensor factorX = results.doubles(p);
    Tensor weights = results.doubles(components, p);
    Tensor rotations = results.doubles(components, p);
    Tensor strength = results.doubles(components);
    try (Arena arena = d.newArena()) {
      Tensor factorY = arena.doubles(q);
      Tensor s = arena.doubles(q, p); // YᵀX, centred and scaled, then deflated
      Tensor n = sums.samples();
      pls.inverseDeviation(sums.squares(), sums.sumX(), n, scale.power(), factorX).launch();
      if (scale.factors().isPresent()) {
        Tensor single = arena.floats(p);
        Tensor own = arena.doubles(p);
        d.upload(scale.factors().get(), single);
        moves.copy(single, own).launch();
        pls.multiply(factorX, own, factorX).launch();
      }
      pls.inverseDeviation(sums.sumY(), sums.sumY(), n, 1, factorY).launch();
      pls.standardize(sums.crossYx(), sums.sumY(), sums.sumX(), n, factorY, factorX, s).launch();

      Tensor loadings = arena.doubles(components, p);
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
        matrices.gemm(false, true, 1, s, s, 0, gram).launch();
        matrices.eigenSymmetric(gram, eigenvalues).launch();
        Tensor v = gram.view((long) (q - 1) * q, Shape.of(1, q));
        matrices.gemm(false, false, 1, v, s, 0, w).launch();
        matrices.gemm(false, true, 1, w, w, 0, cell).launch();
        pls.scaleByPower(w, scalar, -0.5).launch();
        // r: w without the earlier loadings
        moves.copy(w, r).launch();
        if (a > 0) {
          Tensor earlier = arena.doubles(1, a);
          Shape before = Shape.of(a, p);
          matrices.gemm(false, true, 1, w, loadings.view(0, before), 0, earlier).launch();
          matrices.gemm(false, false, -1, earlier, rotations.view(0, before), 1, r).launch();
        }
        // u = C r with C = D (XᵀX - ΣX ΣXᵀ / n) D
        pls.multiply(r, rowFactor, scaled).launch();
        product.forEach(Kernel::launch);
        matrices.gemm(false, true, 1, scaled, rowSum, 0, cell).launch();
        pls.scaleByPower(scalar, n, -1).launch();
        matrices.gemm(false, false, -1, cell, rowSum, 1, u).launch();
        pls.multiply(u, rowFactor, u).launch();
        // tt = rᵀ u, p = u / tt, q = S r / tt
        matrices.gemm(false, true, 1, u, r, 0, cell).launch();
        moves.copy(u, loading).launch();
        pls.scaleByPower(loading, scalar, -1).launch();
        matrices.gemm(false, true, 1, r, s, 0, yLoading).launch();
        pls.scaleByPower(yLoading, scalar, -1).launch();
        // s_a = tt qᵀq; S = S - tt q pᵀ
        Tensor own = strength.view(a, Shape.of(1));
        matrices.gemm(false, true, 1, yLoading, yLoading, 0, own.reshape(Shape.of(1, 1))).launch();
        pls.scaleByPower(own, scalar, 1).launch();
        matrices.gemm(true, false, -1, yLoading, u, 1, s).launch();
      }
      d.synchronize(); // before the arena goes
      return new Directions(weights, rotations, strength, factorX);
    }
  }
}
