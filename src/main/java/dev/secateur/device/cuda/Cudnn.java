package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.HashMap;
import java.util.Map;
import jcuda.jcudnn.cudnnActivationDescriptor;
import jcuda.jcudnn.cudnnActivationMode;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnMathType;
import jcuda.jcudnn.cudnnNanPropagation;
import jcuda.jcudnn.cudnnPoolingDescriptor;
import jcuda.jcudnn.cudnnPoolingMode;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;
import jcuda.runtime.cudaStream_t;

/** cuDNN's handle and its descriptors, each made once and kept as long as the device. */
final class Cudnn {
  private static final int FLOAT = cudnnDataType.CUDNN_DATA_FLOAT;
  private static final int NAN = cudnnNanPropagation.CUDNN_PROPAGATE_NAN;
  private final CudaContext context;
  private final Handle handle = new Handle();
  private final Cleanup closers = new Cleanup();
  private final Map<Memory, cudnnTensorDescriptor> tensors = new HashMap<>();
  private final Map<Memory, cudnnFilterDescriptor> filters = new HashMap<>();
  private final Map<Convolution, cudnnConvolutionDescriptor> convolutions = new HashMap<>();
  private final Map<PoolSpec, cudnnPoolingDescriptor> pools = new HashMap<>();
  private final Map<ReluOrIdentity, cudnnActivationDescriptor> activations = new HashMap<>();

  /** Elements without their place. */
  record Memory(Shape shape, DType type, Layout layout) {
    static Memory of(Tensor t) {
      return new Memory(t.shape(), t.dtype(), t.layout());
    }

    long bytes() {
      return Math.multiplyExact(shape.elements(), type.bytes());
    }

    /** In the same type and order. */
    Memory shaped(Shape other) {
      return new Memory(other, type, layout);
    }
  }

  private record Convolution(ConvolutionSpec spec, int math) {}

  private static final class Handle extends cudnnHandle {
    long address() {
      return getNativePointer();
    }
  }

  private record ReluOrIdentity(int mode, int nan) {}

  Cudnn(CudaContext context) {
    this.context = context;
    context.enter();
    Status.cudnn(cudnnCreate(handle), "opening cuDNN (cudnnCreate)");
    closers.add(() -> Status.cudnn(cudnnDestroy(handle), "closing cuDNN (cudnnDestroy)"));
    try {
      Status.cudnn(
          cudnnSetStream(handle, new cudaStream_t(context.stream())),
          "opening cuDNN (cudnnSetStream)");
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  static String version() {
    long v = cudnnGetVersion();
    return v >= 90000
        ? v / 10000 + "." + v / 100 % 100 + "." + v % 100
        : v / 1000 + "." + v / 100 % 10 + "." + v % 100;
  }

  cudnnHandle handle() {
    return handle;
  }

  /** The handle as an attribute of descriptors. */
  long handleAddress() {
    return handle.address();
  }

  cudnnTensorDescriptor tensor(Tensor t) {
    return tensor(Memory.of(t));
  }

  cudnnTensorDescriptor tensor(Memory memory) {
    return tensors.computeIfAbsent(
        memory,
        m -> {
          Shape s = m.shape();
          context.enter();
          cudnnTensorDescriptor d = new cudnnTensorDescriptor();
          Status.cudnn(
              cudnnCreateTensorDescriptor(d), "making a description (cudnnCreateTensorDescriptor)");
          closers.add(
              () ->
                  Status.cudnn(
                      cudnnDestroyTensorDescriptor(d),
                      "freeing a description (cudnnDestroyTensorDescriptor)"));
          Status.cudnn(
              cudnnSetTensor4dDescriptor(
                  d, format(m), type(m.type()), s.size(0), s.size(1), s.size(2), s.size(3)),
              "describing a tensor of shape " + s);
          return d;
        });
  }

  /** A vector of one value per channel. */
  cudnnTensorDescriptor channels(long count, DType type) {
    return tensor(new Memory(Shape.of(1, count, 1, 1), type, Layout.PLAIN));
  }

  cudnnFilterDescriptor filter(Memory memory) {
    return filters.computeIfAbsent(
        memory,
        m -> {
          Shape s = m.shape();
          context.enter();
          cudnnFilterDescriptor d = new cudnnFilterDescriptor();
          Status.cudnn(
              cudnnCreateFilterDescriptor(d), "making a description (cudnnCreateFilterDescriptor)");
          closers.add(
              () ->
                  Status.cudnn(
                      cudnnDestroyFilterDescriptor(d),
                      "freeing a description (cudnnDestroyFilterDescriptor)"));
          Status.cudnn(
              cudnnSetFilter4dDescriptor(
                  d, type(m.type()), format(m), s.size(0), s.size(1), s.size(2), s.size(3)),
              "describing filters of shape " + s);
          return d;
        });
  }

  /**
   * Of a specification whose padding is symmetric; sums are in single precision.
   *
   * @param math of {@link cudnnMathType}
   */
  cudnnConvolutionDescriptor convolution(ConvolutionSpec spec, int math) {
    return convolutions.computeIfAbsent(
        new Convolution(spec, math),
        c -> {
          context.enter();
          ConvolutionSpec s = c.spec();
          cudnnConvolutionDescriptor d = new cudnnConvolutionDescriptor();
          Status.cudnn(
              cudnnCreateConvolutionDescriptor(d),
              "making a description (cudnnCreateConvolutionDescriptor)");
          closers.add(
              () ->
                  Status.cudnn(
                      cudnnDestroyConvolutionDescriptor(d),
                      "freeing a description (cudnnDestroyConvolutionDescriptor)"));
          Status.cudnn(
              cudnnSetConvolution2dDescriptor(
                  d,
                  s.padTop(),
                  s.padLeft(),
                  s.strideH(),
                  s.strideW(),
                  s.dilationH(),
                  s.dilationW(),
                  cudnnConvolutionMode.CUDNN_CROSS_CORRELATION,
                  FLOAT),
              "describing a convolution");
          Status.cudnn(
              cudnnSetConvolutionGroupCount(d, s.groups()),
              "describing a convolution (cudnnSetConvolutionGroupCount)");
          Status.cudnn(
              cudnnSetConvolutionMathType(d, c.math()),
              "describing a convolution (cudnnSetConvolutionMathType)");
          return d;
        });
  }

  /** Of a specification whose padding is symmetric. */
  cudnnPoolingDescriptor pool(PoolSpec spec) {
    return pools.computeIfAbsent(
        spec,
        s -> {
          context.enter();
          cudnnPoolingDescriptor d = new cudnnPoolingDescriptor();
          int mode =
              switch (s.kind()) {
                case MAX -> cudnnPoolingMode.CUDNN_POOLING_MAX_DETERMINISTIC;
                case AVERAGE -> cudnnPoolingMode.CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING;
                case AVERAGE_INCLUDE_PADDING ->
                    cudnnPoolingMode.CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING;
              };
          Status.cudnn(
              cudnnCreatePoolingDescriptor(d),
              "making a description (cudnnCreatePoolingDescriptor)");
          closers.add(
              () ->
                  Status.cudnn(
                      cudnnDestroyPoolingDescriptor(d),
                      "freeing a description (cudnnDestroyPoolingDescriptor)"));
          Status.cudnn(
              cudnnSetPooling2dDescriptor(
                  d,
                  mode,
                  NAN,
                  s.kernelH(),
                  s.kernelW(),
                  s.padTop(),
                  s.padLeft(),
                  s.strideH(),
                  s.strideW()),
              "describing a pooling");
          return d;
        });
  }

  /**
   * @param mode of {@link cudnnActivationMode}: identity or ReLU
   * @param nan of {@link cudnnNanPropagation}: whether ReLU passes NaN on or makes 0 of it
   */
  cudnnActivationDescriptor activation(int mode, int nan) {
    return activations.computeIfAbsent(
        new ReluOrIdentity(mode, nan),
        a -> {
          context.enter();
          cudnnActivationDescriptor d = new cudnnActivationDescriptor();
          Status.cudnn(
              cudnnCreateActivationDescriptor(d),
              "making a description (cudnnCreateActivationDescriptor)");
          closers.add(
              () ->
                  Status.cudnn(
                      cudnnDestroyActivationDescriptor(d),
                      "freeing a description (cudnnDestroyActivationDescriptor)"));
          Status.cudnn(
              cudnnSetActivationDescriptor(d, a.mode(), a.nan(), 0),
              "describing an activation (cudnnSetActivationDescriptor)");
          return d;
        });
  }

  /** Of {@link cudnnDataType}. */
  static int type(DType type) {
    return switch (type) {
      case F16 -> cudnnDataType.CUDNN_DATA_HALF;
      case BF16 -> cudnnDataType.CUDNN_DATA_BFLOAT16;
      default -> FLOAT;
    };
  }

  private static int format(Memory m) {
    return m.layout() == Layout.PLAIN
        ? cudnnTensorFormat.CUDNN_TENSOR_NCHW
        : cudnnTensorFormat.CUDNN_TENSOR_NHWC;
  }

  void close() {
    closers.close();
  }
}
