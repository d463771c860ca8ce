package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.Cleanup;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
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
  private final cudnnHandle handle = new cudnnHandle();
  private final Cleanup closers = new Cleanup();
  private final Map<Shape, cudnnTensorDescriptor> tensors = new HashMap<>();
  private final Map<Shape, cudnnFilterDescriptor> filters = new HashMap<>();
  private final Map<ConvolutionSpec, cudnnConvolutionDescriptor> convolutions = new HashMap<>();
  private final Map<PoolSpec, cudnnPoolingDescriptor> pools = new HashMap<>();
  private final Map<Integer, cudnnActivationDescriptor> activations = new HashMap<>();

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

  /** Float activations in the device's layout. */
  cudnnTensorDescriptor tensor(Shape shape) {
    return tensors.computeIfAbsent(
        shape,
        s -> {
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
                  d, format(), FLOAT, s.size(0), s.size(1), s.size(2), s.size(3)),
              "describing a tensor of shape " + s);
          return d;
        });
  }

  /** A vector of one value per channel. */
  cudnnTensorDescriptor channels(long count) {
    return tensor(Shape.of(1, count, 1, 1));
  }

  cudnnFilterDescriptor filter(Shape shape) {
    return filters.computeIfAbsent(
        shape,
        s -> {
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
                  d,
                  FLOAT,
                  cudnnTensorFormat.CUDNN_TENSOR_NCHW,
                  s.size(0),
                  s.size(1),
                  s.size(2),
                  s.size(3)),
              "describing filters of shape " + s);
          return d;
        });
  }

  /** Of a specification whose padding is symmetric; full single precision, no TF32. */
  cudnnConvolutionDescriptor convolution(ConvolutionSpec spec) {
    return convolutions.computeIfAbsent(
        spec,
        s -> {
          context.enter();
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
              cudnnSetConvolutionMathType(d, cudnnMathType.CUDNN_FMA_MATH),
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
   */
  cudnnActivationDescriptor activation(int mode) {
    return activations.computeIfAbsent(
        mode,
        m -> {
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
              cudnnSetActivationDescriptor(d, m, NAN, 0),
              "describing an activation (cudnnSetActivationDescriptor)");
          return d;
        });
  }

  private static int format() {
    return CudaDevice.LAYOUT == Layout.PLAIN
        ? cudnnTensorFormat.CUDNN_TENSOR_NCHW
        : cudnnTensorFormat.CUDNN_TENSOR_NHWC;
  }

  void close() {
    closers.close();
  }
}
