package dev.secateur.device.cuda;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;

/** Sums and products behind PLS, all in double precision; kernels/pls.cu. */
final class CudaPls {
  private final CudaKernels kernels;
  private final CudaWorkspace workspace;

  CudaPls(CudaKernels kernels, CudaWorkspace workspace) {
    this.kernels = kernels;
    this.workspace = workspace;
  }

  Kernel accumulate(Tensor src, Tensor dst) {
    Require.sameShape("src and dst", src, dst);
    Require.sameLayout("src and dst", src, dst);
    Require.type("dst", dst, DType.F64);
    boolean single = src.dtype() == DType.F32;
    Require.that(single || src.dtype() == DType.F64, "src must be F32 or F64", src);
    return kernels
        .launch(single ? "accumulate_f32" : "accumulate_f64")
        .arg(src)
        .arg(dst)
        .arg(dst.elements())
        .over(dst.elements());
  }

  Kernel accumulateFeatures(
      Tensor x,
      Tensor labels,
      Tensor shift,
      Tensor out,
      Tensor sums,
      Tensor counts,
      Tensor squares) {
    Require.plain("x", x, DType.F32, 2);
    Require.plain("out", out, DType.F32, 2);
    Require.sameShape("x and out", x, out);
    long n = x.shape().dim(0);
    long p = x.shape().dim(1);
    Require.vector("labels", labels, DType.I32, n);
    Require.vector("shift", shift, DType.F32, p);
    Require.plain("sums", sums, DType.F64, 2);
    Require.that(sums.shape().dim(1) == p, "sums must have " + p + " columns", sums);
    long q = sums.shape().dim(0);
    Require.vector("counts", counts, DType.F64, q);
    Require.vector("squares", squares, DType.F64, p);
    return kernels
        .launch("accumulate_features")
        .arg(x)
        .arg(labels)
        .arg(shift)
        .arg(out)
        .arg(sums)
        .arg(counts)
        .arg(squares)
        .arg(n)
        .arg(p)
        .arg(q)
        .over((q + 1) * p);
  }

  Kernel standardize(
      Tensor m, Tensor sumI, Tensor sumJ, Tensor n, Tensor factorI, Tensor factorJ, Tensor out) {
    Require.plain("m", m, DType.F64, 2);
    Require.plain("out", out, DType.F64, 2);
    Require.sameShape("m and out", m, out);
    long rows = m.shape().dim(0);
    long columns = m.shape().dim(1);
    doubles("sumI", sumI, rows);
    doubles("sumJ", sumJ, columns);
    doubles("n", n, 1);
    doubles("factorI", factorI, rows);
    doubles("factorJ", factorJ, columns);
    return kernels
        .launch("standardize")
        .arg(m)
        .arg(sumI)
        .arg(sumJ)
        .arg(n)
        .arg(factorI)
        .arg(factorJ)
        .arg(out)
        .arg(rows)
        .arg(columns)
        .over(m.elements());
  }

  Kernel inverseDeviation(Tensor squares, Tensor sum, Tensor n, Tensor factor) {
    long p = squares.elements();
    doubles("squares", squares, p);
    doubles("sum", sum, p);
    doubles("n", n, 1);
    doubles("factor", factor, p);
    return kernels
        .launch("inverse_deviation")
        .arg(squares)
        .arg(sum)
        .arg(n)
        .arg(factor)
        .arg(p)
        .over(p);
  }

  Kernel multiply(Tensor a, Tensor b, Tensor out) {
    Require.sameShape("a and b", a, b);
    Require.sameShape("a and out", a, out);
    long n = a.elements();
    doubles("a", a, n);
    doubles("b", b, n);
    doubles("out", out, n);
    return kernels.launch("multiply").arg(a).arg(b).arg(out).arg(n).over(n);
  }

  Kernel scaleByPower(Tensor x, Tensor scalar, double exponent) {
    long n = x.elements();
    doubles("x", x, n);
    doubles("scalar", scalar, 1);
    return kernels.launch("scale_by_power").arg(x).arg(scalar).arg(exponent).arg(n).over(n);
  }

  Kernel vip(Tensor w, Tensor s, Tensor vip) {
    Require.plain("w", w, DType.F64, 2);
    long components = w.shape().dim(0);
    long p = w.shape().dim(1);
    doubles("s", s, components);
    Require.type("vip", vip, DType.F32);
    Require.that(vip.elements() == p, "vip must have length " + p, vip);
    workspace.reserve(components * Double.BYTES);
    Kernel norms =
        kernels.launch("row_norms").arg(w).workspace(0).arg(components).arg(p).rows(components, p);
    Kernel result =
        kernels.launch("vip").arg(w).arg(s).workspace(0).arg(vip).arg(components).arg(p).over(p);
    return () -> {
      norms.launch();
      result.launch();
    };
  }

  private static void doubles(String name, Tensor t, long elements) {
    Require.type(name, t, DType.F64);
    Require.that(t.elements() == elements, name + " must have " + elements + " elements", t);
  }
}
