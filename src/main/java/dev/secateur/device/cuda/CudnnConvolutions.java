package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.SecateurException;
import dev.secateur.device.Activation;
import dev.secateur.device.Contract;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Convolutions;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.Precision;
import dev.secateur.device.cuda.ConvolutionAlgorithms.Choice;
import dev.secateur.device.cuda.ConvolutionAlgorithms.Pass;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnActivationMode;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnMathType;
import jcuda.jcudnn.cudnnNanPropagation;

/**
 * Convolutions by cuDNN. It pads both sides alike: where a specification does not, the input is
 * padded into scratch memory first, and its gradient cut out of scratch memory afterwards. Where
 * cuDNN has no algorithm in 16 bits or for N, H, W, C, operands are converted to single precision
 * and N, C, H, W in scratch memory.
 */
final class CudnnConvolutions implements Convolutions {
  private final Contract contract;
  private final CudaContext context;
  private final Cudnn cudnn;
  private final CudaWorkspace workspace;
  private final CudaPointwise pointwise;
  private final CudaMoves moves;
  private final Precision precision;
  private final ConvolutionAlgorithms algorithms;
  private final Fallbacks fallbacks;

  CudnnConvolutions(
      Contract contract,
      CudaContext context,
      Cudnn cudnn,
      CudaWorkspace workspace,
      CudaPointwise pointwise,
      CudaMoves moves,
      Precision precision,
      Fallbacks fallbacks) {
    this.contract = contract;
    this.context = context;
    this.cudnn = cudnn;
    this.workspace = workspace;
    this.pointwise = pointwise;
    this.moves = moves;
    this.precision = precision;
    this.algorithms = new ConvolutionAlgorithms(context, cudnn);
    this.fallbacks = fallbacks;
  }

  @Override
  public Contract contract() {
    return contract;
  }

  /**
   * A convolution as cuDNN is asked for it: without padding over a padded input where it is
   * lopsided.
   */
  private record Geometry(ConvolutionSpec spec, Shape x, boolean padded) {
    static Geometry of(ConvolutionSpec s, Shape x) {
      if (s.padTop() == s.padBottom() && s.padLeft() == s.padRight()) {
        return new Geometry(s, x, false);
      }
      ConvolutionSpec none =
          new ConvolutionSpec(
              s.strideH(), s.strideW(), 0, 0, 0, 0, s.dilationH(), s.dilationW(), s.groups());
      Shape padded =
          x.with(2, x.dim(2) + s.padTop() + s.padBottom())
              .with(3, x.dim(3) + s.padLeft() + s.padRight());
      return new Geometry(none, padded, true);
    }
  }

  /**
   * One compiled convolution: descriptors, algorithm, and the copies into and out of scratch memory
   * around it.
   */
  private final class Plan {
    private final ConvolutionSpec spec;
    private final Geometry geometry;
    private final boolean converted;
    private final DType type;
    private final boolean last;
    private final ConvolutionProblem d;
    private final Choice chosen;
    private final List<Kernel> before = new ArrayList<>();
    private final List<Kernel> after = new ArrayList<>();
    private long scratch;

    Plan(ConvolutionSpec spec, Tensor x, Tensor w, Tensor y, Pass pass) {
      this.spec = spec;
      this.geometry = Geometry.of(spec, x.shape());
      ConvolutionProblem own = describe(x, w, y);
      Optional<Choice> found = algorithms.choose(pass, own);
      this.converted = found.isEmpty() && precision != Precision.FP32;
      if (converted) {
        fallbacks.add("cuDNN has no " + pass.words() + " in " + precision + ": computed in FP32");
      }
      this.type = converted ? DType.F32 : x.dtype();
      this.last = !converted && Order.last(x);
      this.d = converted ? describe(single(x), single(w), single(y)) : own;
      this.chosen =
          (converted ? algorithms.choose(pass, d) : found)
              .orElseThrow(() -> new SecateurException(ConvolutionAlgorithms.NONE));
    }

    private static Tensor single(Tensor t) {
      return new Tensor(t.buffer(), t.byteOffset(), t.shape(), DType.F32, Layout.PLAIN);
    }

    private ConvolutionProblem describe(Tensor x, Tensor w, Tensor y) {
      return ConvolutionProblem.of(
          cudnn,
          Cudnn.Memory.of(x).shaped(geometry.x()),
          Cudnn.Memory.of(w),
          Cudnn.Memory.of(y),
          geometry.spec(),
          math(x));
    }

    /**
     * Where the search begins; what it finds may have another. bfloat16 has it from cuDNN's
     * default: asked for tensor cores by name, some releases returned NaN.
     */
    private int math(Tensor x) {
      return switch (x.dtype()) {
        case F16 -> cudnnMathType.CUDNN_TENSOR_OP_MATH;
        case BF16 -> cudnnMathType.CUDNN_DEFAULT_MATH;
        default ->
            precision == Precision.TF32 && Order.last(x)
                ? cudnnMathType.CUDNN_DEFAULT_MATH
                : cudnnMathType.CUDNN_FMA_MATH;
      };
    }

    /** With the math type that goes with the algorithm. */
    cudnnConvolutionDescriptor conv() {
      return cudnn.convolution(geometry.spec(), chosen.math());
    }

    private long take(long elements) {
      long at = scratch;
      long bytes = Math.multiplyExact(elements, converted ? Float.BYTES : type.bytes());
      scratch = CudaWorkspace.aligned(at + bytes);
      return at;
    }

    /** Where an operand is read. */
    Supplier<DevicePointer> read(Tensor t) {
      if (!converted) {
        DevicePointer own = CudaBuffer.pointer(t);
        return () -> own;
      }
      long at = take(t.elements());
      before.add(moves.toScratch(t, at));
      return () -> workspace.at(at);
    }

    /** Where the result is written. */
    Supplier<DevicePointer> write(Tensor t) {
      if (!converted) {
        DevicePointer own = CudaBuffer.pointer(t);
        return () -> own;
      }
      long at = take(t.elements());
      after.add(moves.fromScratch(at, t));
      return () -> workspace.at(at);
    }

    Supplier<DevicePointer> readInput(Tensor x) {
      if (!geometry.padded()) {
        return read(x);
      }
      long from = converted ? take(x.elements()) : 0;
      long to = take(geometry.x().elements());
      if (converted) {
        before.add(moves.toScratch(x, from));
      }
      UnaryOperator<Launch.Builder> operands =
          b -> (converted ? b.workspace(from) : b.arg(x)).workspace(to);
      Shape padded = geometry.x();
      before.add(
          moves.moved(type, last, operands, x.shape(), padded, spec.padTop(), spec.padLeft()));
      return () -> workspace.at(to);
    }

    Supplier<DevicePointer> writeInput(Tensor dx) {
      if (!geometry.padded()) {
        return write(dx);
      }
      long from = take(geometry.x().elements());
      long to = converted ? take(dx.elements()) : 0;
      UnaryOperator<Launch.Builder> operands =
          b -> converted ? b.workspace(from).workspace(to) : b.workspace(from).arg(dx);
      Shape padded = geometry.x();
      after.add(
          moves.moved(type, last, operands, padded, dx.shape(), -spec.padTop(), -spec.padLeft()));
      if (converted) {
        after.add(moves.fromScratch(to, dx));
      }
      return () -> workspace.at(from);
    }

    /** The algorithm's own memory, behind the copies; null where it needs none. */
    Pointer space() {
      return chosen.bytes() == 0 ? new Pointer() : workspace.at(scratch);
    }

    /** With the copies around it. */
    Kernel around(Kernel call) {
      workspace.reserve(scratch + chosen.bytes());
      if (before.isEmpty() && after.isEmpty()) {
        return call;
      }
      List<Kernel> all = new ArrayList<>(before);
      all.add(call);
      all.addAll(after);
      Kernel[] inTurn = all.toArray(new Kernel[0]);
      return () -> {
        for (Kernel k : inTurn) {
          k.launch();
        }
      };
    }
  }

  @Override
  public Kernel compileForward(
      ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y, boolean frozen) {
    context.enter();
    Plan plan = new Plan(spec, x, w, y, Pass.FORWARD);
    boolean fusable =
        epilogue.bias().isPresent()
            && !plan.converted
            && (epilogue.activation() == Activation.RELU
                || plan.chosen.algorithm()
                    == cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
    Call call = new Call(plan, plan.readInput(x), plan.read(w), plan.write(y), y);
    return fusable
        ? plan.around(fused(call, x, w, epilogue))
        : followed(plan.around(plain(call, x, w)), y, epilogue);
  }

  private record Call(
      Plan plan,
      Supplier<DevicePointer> x,
      Supplier<DevicePointer> w,
      Supplier<DevicePointer> py,
      Tensor y) {}

  private Kernel plain(Call c, Tensor x, Tensor w) {
    Plan p = c.plan();
    cudnnConvolutionDescriptor conv = p.conv();
    return context.kernel(
        List.of(x, w, c.y()),
        () ->
            Status.cudnn(
                cudnnConvolutionForward(
                    cudnn.handle(),
                    Constants.ONE,
                    p.d.x(),
                    c.x().get(),
                    p.d.w(),
                    c.w().get(),
                    conv,
                    p.chosen.algorithm(),
                    p.space(),
                    p.chosen.bytes(),
                    Constants.ZERO,
                    p.d.y(),
                    c.py().get()),
                "a convolution (cudnnConvolutionForward)"));
  }

  /** With bias, residual and activation by our own kernel. */
  private Kernel followed(Kernel convolve, Tensor y, Epilogue epilogue) {
    boolean plain =
        epilogue.bias().isEmpty()
            && epilogue.residual().isEmpty()
            && epilogue.activation() == Activation.NONE;
    if (plain) {
      return convolve;
    }
    Kernel rest =
        pointwise.epilogue(y, epilogue.bias(), epilogue.residual(), epilogue.activation());
    return () -> {
      convolve.launch();
      rest.launch();
    };
  }

  /**
   * By cudnnConvolutionBiasActivationForward; identity goes with IMPLICIT_PRECOMP_GEMM only, ReLU6
   * is cut off afterwards. Where cuDNN cannot fuse an activation that passes NaN on, one that makes
   * 0 of it is tried; what it cannot fuse at all runs separately from then on.
   */
  private Kernel fused(Call c, Tensor x, Tensor w, Epilogue epilogue) {
    Tensor bias = epilogue.bias().orElseThrow();
    List<Tensor> all = new ArrayList<>(List.of(x, w, c.y(), bias));
    epilogue.residual().ifPresent(all::add);
    Kernel apart = followed(plain(c, x, w), c.y(), epilogue);
    Kernel clip = pointwise.compileActivation(epilogue.activation(), c.y(), c.y());
    boolean clips = epilogue.activation() == Activation.RELU6;
    IntSupplier exact = fusedCall(c, epilogue, cudnnNanPropagation.CUDNN_PROPAGATE_NAN);
    IntSupplier lossy = fusedCall(c, epilogue, cudnnNanPropagation.CUDNN_NOT_PROPAGATE_NAN);
    Refusal refusal = new Refusal();
    Refusal both = new Refusal();
    return context.kernel(
        all,
        () -> {
          if (!refusal.refused() && done(refusal, exact)) {
            after(clips, clip);
            return;
          }
          if (!both.refused()) {
            boolean first = !both.asked();
            if (done(both, lossy)) {
              if (first) {
                fallbacks.add("cuDNN fuses a convolution only with a ReLU that makes 0 of NaN");
              }
              after(clips, clip);
              return;
            }
            fallbacks.add(
                "cuDNN does not fuse a convolution in "
                    + precision
                    + " with bias and activation: they follow apart");
          }
          apart.launch();
        });
  }

  private static void after(boolean clips, Kernel clip) {
    if (clips) {
      clip.launch();
    }
  }

  /** Whether cuDNN did it; false where it refuses. */
  private static boolean done(Refusal refusal, IntSupplier call) {
    int status = call.getAsInt();
    if (refusal.is(status)) {
      return false;
    }
    Status.cudnn(status, "a convolution (cudnnConvolutionBiasActivationForward)");
    return true;
  }

  private IntSupplier fusedCall(Call c, Epilogue epilogue, int nan) {
    Plan p = c.plan();
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
                : cudnnActivationMode.CUDNN_ACTIVATION_IDENTITY,
            nan);
    var bd = cudnn.channels(bias.elements(), bias.dtype());
    cudnnConvolutionDescriptor conv = p.conv();
    return () ->
        cudnnConvolutionBiasActivationForward(
            cudnn.handle(),
            Constants.ONE,
            p.d.x(),
            c.x().get(),
            p.d.w(),
            c.w().get(),
            conv,
            p.chosen.algorithm(),
            p.space(),
            p.chosen.bytes(),
            share,
            p.d.y(),
            pz,
            bd,
            pb,
            activation,
            p.d.y(),
            py);
  }

  @Override
  public Kernel compileBackwardData(ConvolutionSpec spec, Tensor dy, Tensor w, Tensor dx) {
    context.enter();
    Plan p = new Plan(spec, dx, w, dy, Pass.DATA);
    Supplier<DevicePointer> pw = p.read(w);
    Supplier<DevicePointer> py = p.read(dy);
    Supplier<DevicePointer> px = p.writeInput(dx);
    cudnnConvolutionDescriptor conv = p.conv();
    return p.around(
        context.kernel(
            List.of(dy, w, dx),
            () ->
                Status.cudnn(
                    cudnnConvolutionBackwardData(
                        cudnn.handle(),
                        Constants.ONE,
                        p.d.w(),
                        pw.get(),
                        p.d.y(),
                        py.get(),
                        conv,
                        p.chosen.algorithm(),
                        p.space(),
                        p.chosen.bytes(),
                        Constants.ZERO,
                        p.d.x(),
                        px.get()),
                    "a convolution's gradient (cudnnConvolutionBackwardData)")));
  }

  @Override
  public Kernel compileBackwardWeights(ConvolutionSpec spec, Tensor x, Tensor dy, Tensor dw) {
    context.enter();
    Plan p = new Plan(spec, x, dw, dy, Pass.WEIGHTS);
    Supplier<DevicePointer> px = p.readInput(x);
    Supplier<DevicePointer> py = p.read(dy);
    Supplier<DevicePointer> pw = p.write(dw);
    cudnnConvolutionDescriptor conv = p.conv();
    return p.around(
        context.kernel(
            List.of(x, dy, dw),
            () ->
                Status.cudnn(
                    cudnnConvolutionBackwardFilter(
                        cudnn.handle(),
                        Constants.ONE,
                        p.d.x(),
                        px.get(),
                        p.d.y(),
                        py.get(),
                        conv,
                        p.chosen.algorithm(),
                        p.space(),
                        p.chosen.bytes(),
                        Constants.ZERO,
                        p.d.w(),
                        pw.get()),
                    "a convolution's gradient (cudnnConvolutionBackwardFilter)")));
  }
}
