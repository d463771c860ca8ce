package dev.secateur.device.cuda;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import jcuda.jcudnn.cudnnBackendAttributeName;
import jcuda.jcudnn.cudnnBackendAttributeType;
import jcuda.jcudnn.cudnnBackendDescriptorType;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnNanPropagation;
import jcuda.jcudnn.cudnnPointwiseMode;

/**
 * y = function(activation(convolution(x, w) + residual + bias)) as operations of cuDNN's graph API:
 * a convolution and pointwise operations behind it, single precision between them. The residual is
 * added before the bias, as NVIDIA's own samples do: cuDNN 9.5 refuses the other order.
 */
final class ConvolutionGraph {
  /** Numbers of the tensors that the caller has memory for. */
  static final long X = 1;

  static final long W = 2;
  static final long Y = 3;
  static final long BIAS = 4;
  static final long RESIDUAL = 5;

  /** What tensor cores' kernels want of an address, in bytes. */
  static final int ALIGNMENT = 16;

  private static final long FIRST_INNER = 100;
  private static final int FLOAT = cudnnDataType.CUDNN_DATA_FLOAT;

  /**
   * What is computed.
   *
   * @param propagates whether ReLU passes NaN on
   */
  record Problem(
      Cudnn.Memory x,
      Cudnn.Memory w,
      Cudnn.Memory y,
      ConvolutionSpec spec,
      boolean bias,
      boolean residual,
      Activation activation,
      Optional<ElementwiseSpec> function,
      boolean propagates) {

    static Problem of(ConvolutionSpec spec, Tensor x, Tensor w, Epilogue e, Tensor y) {
      return new Problem(
          Cudnn.Memory.of(x),
          Cudnn.Memory.of(w),
          Cudnn.Memory.of(y),
          spec,
          e.bias().isPresent(),
          e.residual().isPresent(),
          e.activation(),
          e.function(),
          true);
    }

    /** With a ReLU that makes 0 of NaN. */
    Problem lossy() {
      return new Problem(x, w, y, spec, bias, residual, activation, function, false);
    }

    /** Whether it matters what ReLU makes of NaN. */
    boolean clips() {
      return activation != Activation.NONE
          || function
              .filter(f -> steps(f, false).stream().anyMatch(s -> s.mode() == Step.RELU))
              .isPresent();
    }

    /** Whether cuDNN has operations for it, and more than one. */
    boolean fuses() {
      boolean more = bias || residual || activation != Activation.NONE || function.isPresent();
      return more && function.filter(f -> steps(f, false).isEmpty()).isEmpty();
    }
  }

  /**
   * A pointwise operation on what is before it.
   *
   * @param mode of {@link cudnnPointwiseMode}
   * @param with its second operand: {@link #BIAS}, {@link #RESIDUAL}, {@link #KEPT}, {@link
   *     #CONSTANT}, or 0 for none
   * @param number the constant, or the number that is told with {@code attribute}
   * @param attribute 0 for none
   */
  private record Step(int mode, long with, double number, int attribute) {
    /** What was before the first step of the function. */
    static final long KEPT = -1;

    static final long CONSTANT = -2;
    static final int ADD = cudnnPointwiseMode.CUDNN_POINTWISE_ADD;
    static final int MUL = cudnnPointwiseMode.CUDNN_POINTWISE_MUL;
    static final int RELU = cudnnPointwiseMode.CUDNN_POINTWISE_RELU_FWD;

    static Step of(int mode) {
      return new Step(mode, 0, 0, 0);
    }

    static Step add(long operand) {
      return new Step(ADD, operand, 0, 0);
    }

    static Step constant(int mode, double value) {
      return new Step(mode, CONSTANT, value, 0);
    }

    static Step told(int mode, int attribute, double value) {
      return new Step(mode, 0, value, attribute);
    }

    /** min(max(x, 0), top). */
    static Step clip(double top) {
      return told(RELU, cudnnBackendAttributeName.CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, top);
    }
  }

  /**
   * A function's steps; none where cuDNN has no operations for it.
   *
   * @param two whether both a residual and a bias are added before: a swish behind that is refused
   *     by cuDNN 9.5, which takes it for a pattern of its own and finds another function
   */
  private static List<Step> steps(ElementwiseSpec f, boolean two) {
    return switch (f.kind()) {
      case LEAKY_RELU ->
          List.of(
              Step.told(
                  Step.RELU,
                  cudnnBackendAttributeName.CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE,
                  f.alpha()));
      case ELU ->
          List.of(
              Step.told(
                  cudnnPointwiseMode.CUDNN_POINTWISE_ELU_FWD,
                  cudnnBackendAttributeName.CUDNN_ATTR_POINTWISE_ELU_ALPHA,
                  f.alpha()));
      case CLIP -> f.alpha() == 0 ? List.of(Step.clip(f.beta())) : List.of();
      case SIGMOID -> List.of(Step.of(cudnnPointwiseMode.CUDNN_POINTWISE_SIGMOID_FWD));
      case HARD_SIGMOID ->
          List.of(
              Step.constant(Step.MUL, f.alpha()), Step.constant(Step.ADD, f.beta()), Step.clip(1));
      case HARD_SWISH ->
          List.of(
              Step.constant(Step.ADD, 3),
              Step.clip(6),
              new Step(Step.MUL, Step.KEPT, 0, 0),
              Step.constant(Step.MUL, 1.0 / 6));
      case SILU ->
          two
              ? List.of(
                  Step.of(cudnnPointwiseMode.CUDNN_POINTWISE_SIGMOID_FWD),
                  new Step(Step.MUL, Step.KEPT, 0, 0))
              : List.of(Step.of(cudnnPointwiseMode.CUDNN_POINTWISE_SWISH_FWD));
      case GELU -> List.of(Step.of(cudnnPointwiseMode.CUDNN_POINTWISE_GELU_FWD));
      case TANH -> List.of(Step.of(cudnnPointwiseMode.CUDNN_POINTWISE_TANH_FWD));
      case SOFTPLUS -> List.of(Step.of(cudnnPointwiseMode.CUDNN_POINTWISE_SOFTPLUS_FWD));
      case MISH, POWER -> List.of();
    };
  }

  private final Problem problem;
  private final Cleanup closers;
  private final Map<Long, Float> constants = new LinkedHashMap<>();
  private final List<BackendDescriptor> operations = new ArrayList<>();
  private long next = FIRST_INNER;

  /**
   * Describes all of it; needs no GPU.
   *
   * @param closers destroy the descriptors
   * @throws BackendDescriptor.Refused where cuDNN does not take a description
   */
  ConvolutionGraph(Problem problem, Cleanup closers) {
    this.problem = problem;
    this.closers = closers;
    List<Step> steps = new ArrayList<>();
    if (problem.residual()) {
      steps.add(Step.add(RESIDUAL));
    }
    if (problem.bias()) {
      steps.add(Step.add(BIAS));
    }
    switch (problem.activation()) {
      case RELU -> steps.add(Step.of(Step.RELU));
      case RELU6 -> steps.add(Step.clip(6));
      case NONE -> {}
    }
    int kept = steps.size();
    problem.function().ifPresent(f -> steps.addAll(steps(f, kept == 2)));
    BackendDescriptor value = output(steps.isEmpty());
    operations.add(convolution(value));
    Optional<BackendDescriptor> held = Optional.empty();
    for (int i = 0; i < steps.size(); i++) {
      held = i == kept ? Optional.of(value) : held;
      BackendDescriptor y = output(i == steps.size() - 1);
      operations.add(pointwise(steps.get(i), value, held, y));
      value = y;
    }
  }

  /** In their order, finalised. */
  List<BackendDescriptor> operations() {
    return operations;
  }

  /** What is passed by value, by the tensors' numbers. */
  Map<Long, Float> constants() {
    return constants;
  }

  private BackendDescriptor make(int type) {
    return BackendDescriptor.make(type, closers);
  }

  private BackendDescriptor undone(long id, int type, long[] dims, long[] strides, long align) {
    return make(cudnnBackendDescriptorType.CUDNN_BACKEND_TENSOR_DESCRIPTOR)
        .type(cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_DATA_TYPE, type)
        .numbers(cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_DIMENSIONS, dims)
        .numbers(cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_STRIDES, strides)
        .numbers(cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
        .numbers(cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, align);
  }

  private BackendDescriptor tensor(long id, Cudnn.Memory m) {
    return undone(id, Cudnn.type(m.type()), m.shape().toArray(), strides(m), ALIGNMENT).finish();
  }

  /** Elements from one index to the next of N, C, H and W. */
  private static long[] strides(Cudnn.Memory m) {
    Shape s = m.shape();
    long pixels = s.dim(2) * s.dim(3);
    return m.layout() == Layout.PLAIN
        ? new long[] {s.dim(1) * pixels, pixels, s.dim(3), 1}
        : new long[] {s.dim(1) * pixels, 1, s.dim(3) * s.dim(1), s.dim(1)};
  }

  /** y itself, or what only the next operation sees. */
  private BackendDescriptor output(boolean last) {
    if (last) {
      return tensor(Y, problem.y());
    }
    Cudnn.Memory m = problem.y();
    return undone(next++, FLOAT, m.shape().toArray(), strides(m), ALIGNMENT)
        .flag(cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_IS_VIRTUAL, true)
        .finish();
  }

  private BackendDescriptor constant(double value) {
    long[] one = {1, 1, 1, 1};
    constants.put(next, (float) value);
    return undone(next++, FLOAT, one, one, DType.F32.bytes())
        .flag(cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_IS_BY_VALUE, true)
        .finish();
  }

  private BackendDescriptor convolution(BackendDescriptor y) {
    ConvolutionSpec s = problem.spec();
    BackendDescriptor d =
        make(cudnnBackendDescriptorType.CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)
            .type(cudnnBackendAttributeName.CUDNN_ATTR_CONVOLUTION_COMP_TYPE, FLOAT)
            .choose(
                cudnnBackendAttributeName.CUDNN_ATTR_CONVOLUTION_CONV_MODE,
                cudnnBackendAttributeType.CUDNN_TYPE_CONVOLUTION_MODE,
                cudnnConvolutionMode.CUDNN_CROSS_CORRELATION)
            .numbers(cudnnBackendAttributeName.CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2L)
            .numbers(
                cudnnBackendAttributeName.CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS,
                s.padTop(),
                s.padLeft())
            .numbers(
                cudnnBackendAttributeName.CUDNN_ATTR_CONVOLUTION_POST_PADDINGS,
                s.padBottom(),
                s.padRight())
            .numbers(
                cudnnBackendAttributeName.CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES,
                s.strideH(),
                s.strideW())
            .numbers(
                cudnnBackendAttributeName.CUDNN_ATTR_CONVOLUTION_DILATIONS,
                s.dilationH(),
                s.dilationW())
            .finish();
    // groups follow from the channels of x and w
    return make(cudnnBackendDescriptorType.CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
        .descriptor(cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, d)
        .descriptor(
            cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
            tensor(X, problem.x()))
        .descriptor(
            cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
            tensor(W, problem.w()))
        .descriptor(cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y)
        .real(cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1.0)
        .real(cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0.0)
        .finish();
  }

  private BackendDescriptor pointwise(
      Step s, BackendDescriptor x, Optional<BackendDescriptor> held, BackendDescriptor y) {
    BackendDescriptor d =
        make(cudnnBackendDescriptorType.CUDNN_BACKEND_POINTWISE_DESCRIPTOR)
            .choose(
                cudnnBackendAttributeName.CUDNN_ATTR_POINTWISE_MODE,
                cudnnBackendAttributeType.CUDNN_TYPE_POINTWISE_MODE,
                s.mode())
            .type(cudnnBackendAttributeName.CUDNN_ATTR_POINTWISE_MATH_PREC, FLOAT);
    if (s.mode() == Step.RELU) {
      d.choose(
          cudnnBackendAttributeName.CUDNN_ATTR_POINTWISE_NAN_PROPAGATION,
          cudnnBackendAttributeType.CUDNN_TYPE_NAN_PROPOGATION,
          problem.propagates()
              ? cudnnNanPropagation.CUDNN_PROPAGATE_NAN
              : cudnnNanPropagation.CUDNN_NOT_PROPAGATE_NAN);
    }
    OptionalDouble told =
        s.attribute() == 0 ? OptionalDouble.empty() : OptionalDouble.of(s.number());
    told.ifPresent(v -> d.real(s.attribute(), v));
    d.finish();
    BackendDescriptor operation =
        make(cudnnBackendDescriptorType.CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
            .descriptor(cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, d)
            .descriptor(cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x)
            .descriptor(cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    operand(s, held)
        .ifPresent(
            b ->
                operation.descriptor(
                    cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b));
    return operation.finish();
  }

  private Optional<BackendDescriptor> operand(Step s, Optional<BackendDescriptor> held) {
    if (s.with() == BIAS) {
      Cudnn.Memory y = problem.y();
      return Optional.of(tensor(BIAS, y.shaped(Shape.of(1, y.shape().dim(1), 1, 1))));
    }
    if (s.with() == RESIDUAL) {
      return Optional.of(tensor(RESIDUAL, problem.y()));
    }
    if (s.with() == Step.CONSTANT) {
      return Optional.of(constant(s.number()));
    }
    return s.with() == Step.KEPT ? held : Optional.empty();
  }
}
