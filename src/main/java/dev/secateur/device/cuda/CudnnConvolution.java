package dev.secateur.device.cuda;

import dev.secateur.SecateurException;
import dev.secateur.device.ConvolutionSpec;
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
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnMathType;

/**
 * One convolution for cuDNN's calls by algorithm: descriptors, algorithm, and the copies into and
 * out of scratch memory around it.
 */
final class CudnnConvolution {
  private final ConvolutionTools tools;
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

  /**
   * @param told of what is done otherwise than asked for
   * @throws SecateurException where cuDNN has no algorithm
   */
  CudnnConvolution(
      ConvolutionTools tools,
      ConvolutionSpec spec,
      Tensor x,
      Tensor w,
      Tensor y,
      Pass pass,
      Consumer<String> told) {
    this.tools = tools;
    this.spec = spec;
    this.geometry = Geometry.of(spec, x.shape());
    ConvolutionProblem own = describe(x, w, y);
    Optional<Choice> found = tools.algorithms().choose(pass, own);
    this.converted = found.isEmpty() && tools.precision() != Precision.FP32;
    if (converted) {
      told.accept(
          "cuDNN has no " + pass.words() + " in " + tools.precision() + ": computed in FP32");
    }
    this.type = converted ? DType.F32 : x.dtype();
    this.last = !converted && Order.last(x);
    this.d = converted ? describe(single(x), single(w), single(y)) : own;
    this.chosen =
        (converted ? tools.algorithms().choose(pass, d) : found)
            .orElseThrow(() -> new SecateurException(ConvolutionAlgorithms.NONE));
  }

  private static Tensor single(Tensor t) {
    return new Tensor(t.buffer(), t.byteOffset(), t.shape(), DType.F32, Layout.PLAIN);
  }

  private ConvolutionProblem describe(Tensor x, Tensor w, Tensor y) {
    return ConvolutionProblem.of(
        tools.cudnn(),
        Cudnn.Memory.of(x).shaped(geometry.x()),
        Cudnn.Memory.of(w),
        Cudnn.Memory.of(y),
        geometry.spec(),
        math(x));
  }

  /**
   * Where the search begins; what it finds may have another. bfloat16 has it from cuDNN's default:
   * asked for tensor cores by name, some releases returned NaN.
   */
  private int math(Tensor x) {
    return switch (x.dtype()) {
      case F16 -> cudnnMathType.CUDNN_TENSOR_OP_MATH;
      case BF16 -> cudnnMathType.CUDNN_DEFAULT_MATH;
      default ->
          tools.precision() == Precision.TF32 && Order.last(x)
              ? cudnnMathType.CUDNN_DEFAULT_MATH
              : cudnnMathType.CUDNN_FMA_MATH;
    };
  }

  /** Whether it is computed in single precision on copies. */
  boolean converted() {
    return converted;
  }

  ConvolutionProblem problem() {
    return d;
  }

  Choice chosen() {
    return chosen;
  }

  /** With the math type that goes with the algorithm. */
  cudnnConvolutionDescriptor conv() {
    return tools.cudnn().convolution(geometry.spec(), chosen.math());
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
    before.add(tools.moves().toScratch(t, at));
    return () -> tools.workspace().at(at);
  }

  /** Where the result is written. */
  Supplier<DevicePointer> write(Tensor t) {
    if (!converted) {
      DevicePointer own = CudaBuffer.pointer(t);
      return () -> own;
    }
    long at = take(t.elements());
    after.add(tools.moves().fromScratch(at, t));
    return () -> tools.workspace().at(at);
  }

  Supplier<DevicePointer> readInput(Tensor x) {
    if (!geometry.padded()) {
      return read(x);
    }
    long from = converted ? take(x.elements()) : 0;
    long to = take(geometry.x().elements());
    if (converted) {
      before.add(tools.moves().toScratch(x, from));
    }
    UnaryOperator<Launch.Builder> operands =
        b -> (converted ? b.workspace(from) : b.arg(x)).workspace(to);
    Shape padded = geometry.x();
    before.add(
        tools
            .moves()
            .moved(type, last, operands, x.shape(), padded, spec.padTop(), spec.padLeft()));
    return () -> tools.workspace().at(to);
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
        tools
            .moves()
            .moved(type, last, operands, padded, dx.shape(), -spec.padTop(), -spec.padLeft()));
    if (converted) {
      after.add(tools.moves().fromScratch(to, dx));
    }
    return () -> tools.workspace().at(from);
  }

  /** The algorithm's own memory, behind the copies; null where it needs none. */
  Pointer space() {
    return chosen.bytes() == 0 ? new Pointer() : tools.workspace().at(scratch);
  }

  /** With the copies around it. */
  Kernel around(Kernel call) {
    tools.workspace().reserve(scratch + chosen.bytes());
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
}
