package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;

/** The sums and products behind PLS; in F64 where nothing else is said, PLAIN. */
public interface Pls extends Operations {

  /** dst += src, elementwise; src F32 or F64, dst F64. */
  default Kernel accumulate(Tensor src, Tensor dst) {
    Contract.sameShape("src and dst", src, dst);
    Contract.sameLayout("src and dst", src, dst);
    Contract.type("dst", dst, DType.F64);
    Contract.floating("src", src);
    return compileAccumulate(src, dst);
  }

  Kernel compileAccumulate(Tensor src, Tensor dst);

  /**
   * Takes in a batch of features for PLS: out[i,j] = x[i,j] - shift[j], and for the label l of each
   * row sums[l,j] += out[i,j], counts[l] += 1, squares[j] += out[i,j]². A row whose label is below
   * 0 does not count: its out is 0. Within the batch sums may be in single precision.
   *
   * @param x F32 (n,p); out likewise
   * @param labels I32 (n), below q: who uploads them sees to that
   * @param shift F32 (p)
   * @param sums F64 (q,p), counts F64 (q), squares F64 (p)
   */
  default Kernel accumulateFeatures(
      Tensor x,
      Tensor labels,
      Tensor shift,
      Tensor out,
      Tensor sums,
      Tensor counts,
      Tensor squares) {
    Contract.plain("x", x, DType.F32, 2);
    Contract.plain("out", out, DType.F32, 2);
    Contract.sameShape("x and out", x, out);
    long p = x.shape().dim(1);
    Contract.vector("labels", labels, DType.I32, x.shape().dim(0));
    Contract.vector("shift", shift, DType.F32, p);
    Contract.plain("sums", sums, DType.F64, 2);
    that(sums.shape().dim(1) == p, "sums must have " + p + " columns", sums);
    Contract.vector("counts", counts, DType.F64, sums.shape().dim(0));
    Contract.vector("squares", squares, DType.F64, p);
    return compileAccumulateFeatures(x, labels, shift, out, sums, counts, squares);
  }

  Kernel compileAccumulateFeatures(
      Tensor x,
      Tensor labels,
      Tensor shift,
      Tensor out,
      Tensor sums,
      Tensor counts,
      Tensor squares);

  /**
   * The features of pairs: out[i,j] = |x[2i,j] - x[2i+1,j]|.
   *
   * @param x F32 (2n,p)
   * @param out F32 (n,p)
   */
  default Kernel pairDifferences(Tensor x, Tensor out) {
    Contract.plain("x", x, DType.F32, 2);
    Contract.plain("out", out, DType.F32, 2);
    Contract.shape("x", x, out.shape().with(0, 2 * out.shape().dim(0)));
    return compilePairDifferences(x, out);
  }

  Kernel compilePairDifferences(Tensor x, Tensor out);

  /**
   * Centres and scales a cross-product matrix: out[i,j] = (m[i,j] - sumI[i] sumJ[j] / n) *
   * factorI[i] * factorJ[j]; n is F64 (1) on the device. out may be m.
   */
  default Kernel standardize(
      Tensor m, Tensor sumI, Tensor sumJ, Tensor n, Tensor factorI, Tensor factorJ, Tensor out) {
    Contract.plain("m", m, DType.F64, 2);
    Contract.plain("out", out, DType.F64, 2);
    Contract.sameShape("m and out", m, out);
    Contract.elements("sumI", sumI, DType.F64, m.shape().dim(0));
    Contract.elements("sumJ", sumJ, DType.F64, m.shape().dim(1));
    Contract.elements("n", n, DType.F64, 1);
    Contract.elements("factorI", factorI, DType.F64, m.shape().dim(0));
    Contract.elements("factorJ", factorJ, DType.F64, m.shape().dim(1));
    return compileStandardize(m, sumI, sumJ, n, factorI, factorJ, out);
  }

  Kernel compileStandardize(
      Tensor m, Tensor sumI, Tensor sumJ, Tensor n, Tensor factorI, Tensor factorJ, Tensor out);

  /**
   * factor[j] = standard deviation (ddof 1) to the power of {@code -power}, from a column's sum and
   * sum of squares; 1 where the variance is 0 to rounding.
   *
   * @param power 1 for unit variance, 0.5 for Pareto scaling, 0 for none
   */
  default Kernel inverseDeviation(
      Tensor squares, Tensor sum, Tensor n, double power, Tensor factor) {
    long p = squares.elements();
    that(power >= 0, "power must not be negative", power);
    Contract.elements("squares", squares, DType.F64, p);
    Contract.elements("sum", sum, DType.F64, p);
    Contract.elements("n", n, DType.F64, 1);
    Contract.elements("factor", factor, DType.F64, p);
    return compileInverseDeviation(squares, sum, n, power, factor);
  }

  Kernel compileInverseDeviation(Tensor squares, Tensor sum, Tensor n, double power, Tensor factor);

  /** out = a b, elementwise; out may be a or b. */
  default Kernel multiply(Tensor a, Tensor b, Tensor out) {
    Contract.type("a", a, DType.F64);
    Contract.type("b", b, DType.F64);
    Contract.type("out", out, DType.F64);
    Contract.sameShape("a and b", a, b);
    Contract.sameShape("a and out", a, out);
    return compileMultiply(a, b, out);
  }

  Kernel compileMultiply(Tensor a, Tensor b, Tensor out);

  /** x *= scalar^exponent, scalar F64 (1) on the device. */
  default Kernel scaleByPower(Tensor x, Tensor scalar, double exponent) {
    Contract.type("x", x, DType.F64);
    Contract.elements("scalar", scalar, DType.F64, 1);
    return compileScaleByPower(x, scalar, exponent);
  }

  Kernel compileScaleByPower(Tensor x, Tensor scalar, double exponent);

  /**
   * vip[j] = sqrt(p Σ_a s[a] w[a,j]² / ‖w[a]‖² / Σ_a s[a]) (paper, section 3); w (c,p), s (c), vip
   * F32 (p).
   */
  default Kernel vip(Tensor w, Tensor s, Tensor vip) {
    Contract.plain("w", w, DType.F64, 2);
    Contract.elements("s", s, DType.F64, w.shape().dim(0));
    Contract.elements("vip", vip, DType.F32, w.shape().dim(1));
    return compileVip(w, s, vip);
  }

  Kernel compileVip(Tensor w, Tensor s, Tensor vip);
}
