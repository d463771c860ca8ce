package dev.secateur.device.cuda;

import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/** Sums, maxima and losses over rows, planes and channels; kernels/reductions.cu. */
final class CudaReductions {
  private final CudaKernels kernels;
  private final CudaWorkspace workspace;

  CudaReductions(CudaKernels kernels, CudaWorkspace workspace) {
    this.kernels = kernels;
    this.workspace = workspace;
  }

  Kernel poolFeatures(PoolSpec.Kind kind, Tensor x, Tensor features, long column) {
    imagesOrRows("x", x);
    Require.plain("features", features, DType.F32, 2);
    boolean known = kind != PoolSpec.Kind.AVERAGE_INCLUDE_PADDING;
    Require.that(known, "kind must be MAX or AVERAGE", kind);
    long n = x.shape().dim(0);
    long channels = x.shape().dim(1);
    long p = features.shape().dim(1);
    Require.that(features.shape().dim(0) == n, "features must have " + n + " rows", features);
    boolean inside = column >= 0 && column + channels <= p;
    Require.that(inside, "columns outside of features", column, x, features);
    long pixels = Require.pixels(x);
    Launch.Builder b =
        kernels
            .launch(Require.last(x) ? "pool_features_last" : "pool_features", x.dtype())
            .arg(x)
            .arg(features)
            .arg(n)
            .arg(channels)
            .arg(pixels)
            .arg(p)
            .arg(column)
            .arg(kind == PoolSpec.Kind.MAX);
    return Require.last(x) ? b.over(n * channels) : b.rows(n * channels, pixels);
  }

  Kernel biasBackward(Tensor dy, Tensor db) {
    imagesOrRows("dy", dy);
    long channels = dy.shape().dim(1);
    Require.vector("db", db, DType.F32, channels);
    long pixels = Require.pixels(dy);
    long n = dy.shape().dim(0);
    return kernels
        .launch("bias_backward", dy.dtype())
        .arg(dy)
        .arg(db)
        .arg(n)
        .arg(channels)
        .arg(pixels)
        .arg(Require.last(dy))
        .rows(channels, n * pixels);
  }

  private static void imagesOrRows(String name, Tensor t) {
    Require.real(name, t);
    int rank = t.shape().rank();
    Require.that(rank == 4 || rank == 2, name + " must be (N,C,H,W) or (N,C)", t);
    Require.that(rank == 4 || t.layout() == Layout.PLAIN, name + " must be PLAIN", t);
  }

  Kernel softmax(Tensor x, Tensor y) {
    Require.plain("x", x, DType.F32, 2);
    Require.plain("y", y, DType.F32, 2);
    Require.sameShape("x and y", x, y);
    long rows = x.shape().dim(0);
    long classes = x.shape().dim(1);
    return kernels.launch("softmax").arg(x).arg(y).arg(rows).arg(classes).rows(rows, classes);
  }

  Kernel crossEntropy(
      Tensor logits, Tensor labels, float smoothing, Tensor metrics, Optional<Tensor> dlogits) {
    Require.plain("logits", logits, DType.F32, 2);
    long rows = logits.shape().dim(0);
    long classes = logits.shape().dim(1);
    Require.vector("labels", labels, DType.I32, rows);
    Require.vector("metrics", metrics, DType.F64, 4);
    Require.that(smoothing >= 0 && smoothing < 1, "smoothing must be in [0, 1)", smoothing);
    if (dlogits.isPresent()) {
      Require.plain("dlogits", dlogits.get(), DType.F32, 2);
      Require.sameShape("logits and dlogits", logits, dlogits.get());
    }
    long ranks = CudaWorkspace.aligned(rows * Double.BYTES);
    workspace.reserve(ranks + rows * Integer.BYTES);
    Kernel each =
        kernels
            .launch("cross_entropy")
            .arg(logits)
            .arg(labels)
            .arg((double) smoothing)
            .workspace(0)
            .workspace(ranks)
            .arg(dlogits)
            .arg(rows)
            .arg(classes)
            .rows(rows, classes);
    Kernel sum =
        kernels
            .launch("metrics")
            .workspace(0)
            .workspace(ranks)
            .arg(labels)
            .arg(metrics)
            .arg(rows)
            .one();
    return () -> {
      each.launch();
      sum.launch();
    };
  }
}
