package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnActivationMode;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * Convolutions by cuDNN. It pads both sides alike: where a specification does not, the input is
 * padded into scratch memory first, and its gradient cut out of scratch memory afterwards.
 */
final class CudnnConvolutions {
  private final CudaContext context;
  private final Cudnn cudnn;
  private final CudaWorkspace workspace;
  private final CudaPointwise pointwise;
  private final CudaMoves moves;
  private final ConvolutionAlgorithms algorithms;

  CudnnConvolutions(
      CudaContext context,
      Cudnn cudnn,
      CudaWorkspace workspace,
      CudaPointwise pointwise,
      CudaMoves moves) {
    this.context = context;
    this.cudnn = cudnn;
    this.workspace = workspace;
    this.pointwise = pointwise;
    this.moves = moves;
    this.algorithms = new ConvolutionAlgorithms(cudnn);
  }

  /** cuDNN's view of a convolution: without padding over a padded input where it is lopsided. */
  private record Geometry(ConvolutionSpec spec, Shape x, boolean padded, long paddedBytes) {
    static Geometry of(ConvolutionSpec s, Shape x) {
      if (s.padTop() == s.padBottom() && s.padLeft() == s.padRight()) {
        return new Geometry(s, x, false, 0);
      }
      ConvolutionSpec none =
          new ConvolutionSpec(
              s.strideH(), s.strideW(), 0, 0, 0, 0, s.dilationH(), s.dilationW(), s.groups());
      Shape padded =
          x.with(2, x.dim(2) + s.padTop() + s.padBottom())
              .with(3, x.dim(3) + s.padLeft() + s.padRight());
      long bytes = CudaWorkspace.aligned(Math.multiplyExact(padded.elements(), Float.BYTES));
      return new Geometry(none, padded, true, bytes);
    }
  }

  Kernel forward(ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    check(spec, x, w, y);
    epilogue.bias().ifPresent(b -> Require.vector("bias", b, DType.F32, y.shape().dim(1)));
    epilogue
        .residual()
        .ifPresent(
            r -> {
              Require.activation("residual", r);
              Require.sameShape("residual and y", r, y);
            });
    Geometry g = Geometry.of(spec, x.shape());
    cudnnTensorDescriptor xd = cudnn.tensor(g.x());
    cudnnFilterDescriptor wd = cudnn.filter(w.shape());
    cudnnConvolutionDescriptor cd = cudnn.convolution(g.spec());
    cudnnTensorDescriptor yd = cudnn.tensor(y.shape());
    ConvolutionAlgorithms.Choice chosen = algorithms.forward(xd, wd, cd, yd);
    boolean fusable =
        epilogue.bias().isPresent()
            && (epilogue.activation() == Activation.RELU
                || chosen.algorithm()
                    == cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
    workspace.reserve(g.paddedBytes() + chosen.bytes());
    Call call = new Call(g, chosen, xd, wd, cd, yd, input(g, x), CudaBuffer.pointer(w), y);
    Kernel convolve = fusable ? fused(call, x, w, epilogue) : separate(call, x, w, epilogue);
    if (!g.padded()) {
      return convolve;
    }
    Kernel pad = moves.padToWorkspace(x, g.x(), spec.padTop(), spec.padLeft());
    return () -> {
      pad.launch();
      convolve.launch();
    };
  }

  private record Call(
      Geometry geometry,
      ConvolutionAlgorithms.Choice chosen,
      cudnnTensorDescriptor xd,
      cudnnFilterDescriptor wd,
      cudnnConvolutionDescriptor cd,
      cudnnTensorDescriptor yd,
      Supplier<DevicePointer> x,
      DevicePointer w,
      Tensor y) {}

  private Kernel separate(Call c, Tensor x, Tensor w, Epilogue epilogue) {
    DevicePointer py = CudaBuffer.pointer(c.y());
    Kernel convolve =
        context.kernel(
            List.of(x, w, c.y()),
            () ->
                Status.cudnn(
                    cudnnConvolutionForward(
                        cudnn.handle(),
                        Constants.ONE,
                        c.xd(),
                        c.x().get(),
                        c.wd(),
                        c.w(),
                        c.cd(),
                        c.chosen().algorithm(),
                        scratch(c.geometry(), c.chosen()),
                        c.chosen().bytes(),
                        Constants.ZERO,
                        c.yd(),
                        py),
                    "a convolution (cudnnConvolutionForward)"));
    boolean plain =
        epilogue.bias().isEmpty()
            && epilogue.residual().isEmpty()
            && epilogue.activation() == Activation.NONE;
    if (plain) {
      return convolve;
    }
    Kernel rest =
        pointwise.epilogue(c.y(), epilogue.bias(), epilogue.residual(), epilogue.activation());
    return () -> {
      convolve.launch();
      rest.launch();
    };
  }

  /**
   * By cudnnConvolutionBiasActivationForward; identity goes with IMPLICIT_PRECOMP_GEMM only, ReLU6
   * is cut off afterwards. What cuDNN says it cannot fuse runs separately from then on.
   */
  private Kernel fused(Call c, Tensor x, Tensor w, Epilogue epilogue) {
    Tensor bias = epilogue.bias().orElseThrow();
    Optional<Tensor> residual = epilogue.residual();
    DevicePointer py = CudaBuffer.pointer(c.y());
    DevicePointer pb = CudaBuffer.pointer(bias);
    DevicePointer pz = residual.map(CudaBuffer::pointer).orElse(py);
    Pointer share = residual.isPresent() ? Constants.ONE : Constants.ZERO;
    boolean relu = epilogue.activation() == Activation.RELU;
    var activation =
        cudnn.activation(
            relu
                ? cudnnActivationMode.CUDNN_ACTIVATION_RELU
                : cudnnActivationMode.CUDNN_ACTIVATION_IDENTITY);
    var bd = cudnn.channels(bias.elements());
    List<Tensor> all = new ArrayList<>(List.of(x, w, c.y(), bias));
    residual.ifPresent(all::add);
    Kernel apart = separate(c, x, w, epilogue);
    Kernel clip = pointwise.activation(epilogue.activation(), c.y(), c.y());
    boolean clips = epilogue.activation() == Activation.RELU6;
    boolean[] refused = new boolean[1];
    return context.kernel(
        all,
        () -> {
          if (!refused[0]) {
            int status =
                cudnnConvolutionBiasActivationForward(
                    cudnn.handle(),
                    Constants.ONE,
                    c.xd(),
                    c.x().get(),
                    c.wd(),
                    c.w(),
                    c.cd(),
                    c.chosen().algorithm(),
                    scratch(c.geometry(), c.chosen()),
                    c.chosen().bytes(),
                    share,
                    c.yd(),
                    pz,
                    bd,
                    pb,
                    activation,
                    c.yd(),
                    py);
            refused[0] = Status.cudnnCannot(status);
            if (!refused[0]) {
              Status.cudnn(status, "a convolution (cudnnConvolutionBiasActivationForward)");
              if (clips) {
                clip.launch();
              }
              return;
            }
          }
          apart.launch();
        });
  }

  Kernel backwardData(ConvolutionSpec spec, Tensor dy, Tensor w, Tensor dx) {
    check(spec, dx, w, dy);
    Geometry g = Geometry.of(spec, dx.shape());
    cudnnFilterDescriptor wd = cudnn.filter(w.shape());
    cudnnTensorDescriptor yd = cudnn.tensor(dy.shape());
    cudnnConvolutionDescriptor cd = cudnn.convolution(g.spec());
    cudnnTensorDescriptor xd = cudnn.tensor(g.x());
    ConvolutionAlgorithms.Choice chosen = algorithms.backwardData(wd, yd, cd, xd);
    workspace.reserve(g.paddedBytes() + chosen.bytes());
    DevicePointer pw = CudaBuffer.pointer(w);
    DevicePointer py = CudaBuffer.pointer(dy);
    Supplier<DevicePointer> px = input(g, dx);
    Kernel back =
        context.kernel(
            List.of(dy, w, dx),
            () ->
                Status.cudnn(
                    cudnnConvolutionBackwardData(
                        cudnn.handle(),
                        Constants.ONE,
                        wd,
                        pw,
                        yd,
                        py,
                        cd,
                        chosen.algorithm(),
                        scratch(g, chosen),
                        chosen.bytes(),
                        Constants.ZERO,
                        xd,
                        px.get()),
                    "a convolution's gradient (cudnnConvolutionBackwardData)"));
    if (!g.padded()) {
      return back;
    }
    Kernel crop = moves.cropFromWorkspace(g.x(), dx, spec.padTop(), spec.padLeft());
    return () -> {
      back.launch();
      crop.launch();
    };
  }

  Kernel backwardWeights(ConvolutionSpec spec, Tensor x, Tensor dy, Tensor dw) {
    check(spec, x, dw, dy);
    Geometry g = Geometry.of(spec, x.shape());
    cudnnTensorDescriptor xd = cudnn.tensor(g.x());
    cudnnTensorDescriptor yd = cudnn.tensor(dy.shape());
    cudnnConvolutionDescriptor cd = cudnn.convolution(g.spec());
    cudnnFilterDescriptor wd = cudnn.filter(dw.shape());
    ConvolutionAlgorithms.Choice chosen = algorithms.backwardFilter(xd, yd, cd, wd);
    workspace.reserve(g.paddedBytes() + chosen.bytes());
    DevicePointer pw = CudaBuffer.pointer(dw);
    DevicePointer py = CudaBuffer.pointer(dy);
    Supplier<DevicePointer> px = input(g, x);
    Kernel back =
        context.kernel(
            List.of(x, dy, dw),
            () ->
                Status.cudnn(
                    cudnnConvolutionBackwardFilter(
                        cudnn.handle(),
                        Constants.ONE,
                        xd,
                        px.get(),
                        yd,
                        py,
                        cd,
                        chosen.algorithm(),
                        scratch(g, chosen),
                        chosen.bytes(),
                        Constants.ZERO,
                        wd,
                        pw),
                    "a convolution's gradient (cudnnConvolutionBackwardFilter)"));
    if (!g.padded()) {
      return back;
    }
    Kernel pad = moves.padToWorkspace(x, g.x(), spec.padTop(), spec.padLeft());
    return () -> {
      pad.launch();
      back.launch();
    };
  }

  private Supplier<DevicePointer> input(Geometry g, Tensor x) {
    DevicePointer own = CudaBuffer.pointer(x);
    return g.padded() ? workspace::pointer : () -> own;
  }

  /** Behind the padded input; null where the algorithm needs none. */
  private Pointer scratch(Geometry g, ConvolutionAlgorithms.Choice chosen) {
    return chosen.bytes() == 0 ? new Pointer() : workspace.at(g.paddedBytes());
  }

  private static void check(ConvolutionSpec spec, Tensor x, Tensor w, Tensor y) {
    Require.activation("x", x);
    Require.activation("y", y);
    Require.plain("w", w, DType.F32, 4);
    Require.that(CudaDevice.LAYOUT == Layout.PLAIN, "filters are NCHW");
    Shape xs = x.shape();
    Shape ws = w.shape();
    Shape ys = y.shape();
    int groups = spec.groups();
    boolean grouped = groups > 0 && xs.dim(1) == ws.dim(1) * groups && ws.dim(0) % groups == 0;
    Require.that(grouped, "channels must fit " + groups + " groups", x, w);
    long p = spec.outHeight(xs.dim(2), ws.dim(2));
    long q = spec.outWidth(xs.dim(3), ws.dim(3));
    Require.that(p > 0 && q > 0, "the kernel must not be larger than the input", x, w);
    Shape expected = Shape.of(xs.dim(0), ws.dim(0), p, q);
    Require.that(ys.equals(expected), "y must be " + expected, y);
  }
}
