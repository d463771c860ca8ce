package dev.secateur.device.cuda;

import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.Pls;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;

/** Sums and products behind PLS, all in double precision; kernels/pls.cu. */
final class CudaPls implements Pls {
  private final Contract contract;
  private final CudaKernels kernels;
  private final CudaWorkspace workspace;

  CudaPls(Contract contract, CudaKernels kernels, CudaWorkspace workspace) {
    this.contract = contract;
    this.kernels = kernels;
    this.workspace = workspace;
  }

  @Override
  public Contract contract() {
    return contract;
  }

  @Override
  public Kernel compileAccumulate(Tensor src, Tensor dst) {
    boolean single = src.dtype() == DType.F32;
    return kernels
        .launch(single ? "accumulate_f32" : "accumulate_f64")
        .arg(src)
        .arg(dst)
        .arg(dst.elements())
        .over(dst.elements());
  }

  @Override
  public Kernel compileAccumulateFeatures(
      Tensor x,
      Tensor labels,
      Tensor shift,
      Tensor out,
      Tensor sums,
      Tensor counts,
      Tensor squares) {
    long n = x.shape().dim(0);
    long p = x.shape().dim(1);
    long q = sums.shape().dim(0);
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

  @Override
  public Kernel compilePairDifferences(Tensor x, Tensor out) {
    long n = out.elements();
    return kernels
        .launch("pair_differences")
        .arg(x)
        .arg(out)
        .arg(n)
        .arg(out.shape().dim(1))
        .over(n);
  }

  @Override
  public Kernel compileStandardize(
      Tensor m, Tensor sumI, Tensor sumJ, Tensor n, Tensor factorI, Tensor factorJ, Tensor out) {
    long rows = m.shape().dim(0);
    long columns = m.shape().dim(1);
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

  @Override
  public Kernel compileInverseDeviation(
      Tensor squares, Tensor sum, Tensor n, double power, Tensor factor) {
    long p = squares.elements();
    return kernels
        .launch("inverse_deviation")
        .arg(squares)
        .arg(sum)
        .arg(n)
        .arg(power)
        .arg(factor)
        .arg(p)
        .over(p);
  }

  @Override
  public Kernel compileMultiply(Tensor a, Tensor b, Tensor out) {
    long n = a.elements();
    return kernels.launch("multiply").arg(a).arg(b).arg(out).arg(n).over(n);
  }

  @Override
  public Kernel compileScaleByPower(Tensor x, Tensor scalar, double exponent) {
    long n = x.elements();
    return kernels.launch("scale_by_power").arg(x).arg(scalar).arg(exponent).arg(n).over(n);
  }

  @Override
  public Kernel compileVip(Tensor w, Tensor s, Tensor vip) {
    long components = w.shape().dim(0);
    long p = w.shape().dim(1);
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
}
