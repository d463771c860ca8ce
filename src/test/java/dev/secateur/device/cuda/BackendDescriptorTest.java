package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;
import static jcuda.jcudnn.JCudnn.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.util.Cleanup;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.JCudaDriver;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnBackendAttributeName;
import jcuda.jcudnn.cudnnBackendAttributeType;
import jcuda.jcudnn.cudnnBackendDescriptorType;
import jcuda.jcudnn.cudnnHandle;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The emulated graph API refuses what cuDNN's documentation does not allow, and says why. */
class BackendDescriptorTest {
  private static final int TYPE = cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_DATA_TYPE;
  private static final int DIMS = cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_DIMENSIONS;
  private static final int STRIDES = cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_STRIDES;
  private static final int ID = cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_UNIQUE_ID;
  private static final int ALIGNMENT = cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT;
  private static final int VIRTUAL = cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_IS_VIRTUAL;
  private static final int BY_VALUE = cudnnBackendAttributeName.CUDNN_ATTR_TENSOR_IS_BY_VALUE;
  private static final int MODE = cudnnBackendAttributeName.CUDNN_ATTR_POINTWISE_MODE;
  private static final int PRECISION = cudnnBackendAttributeName.CUDNN_ATTR_POINTWISE_MATH_PREC;
  private static final int UPPER = cudnnBackendAttributeName.CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP;
  private static final int POINTWISE =
      cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR;
  private static final int X = cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_POINTWISE_XDESC;
  private static final int B = cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_POINTWISE_BDESC;
  private static final int Y = cudnnBackendAttributeName.CUDNN_ATTR_OPERATION_POINTWISE_YDESC;
  private static final int ADD = 0;
  private static final int RELU = 100;
  private static final int HALF = 2;
  private static final long[] SIZE = {2, 8, 3, 5};
  private static final long[] LAST = {120, 1, 40, 8};

  private final CUcontext context = new CUcontext();
  private final Handle handle = new Handle();
  private Cleanup all;
  private String before;

  private static final class Handle extends cudnnHandle {
    long address() {
      return getNativePointer();
    }
  }

  @BeforeEach
  void open() {
    EmulatedCuda.load();
    JCudaDriver.setExceptionsEnabled(false);
    JCudnn.setExceptionsEnabled(false);
    EmulatedCuda.reset();
    before = EmulatedCuda.live();
    CUdevice device = new CUdevice();
    int status = cuInit(0) + cuDeviceGet(device, 0) + cuCtxCreate(context, 0, device);
    assertEquals(0, status + cudnnCreate(handle));
    all = new Cleanup();
  }

  @AfterEach
  void close() {
    all.close();
    assertEquals(0, cudnnDestroy(handle) + cuCtxDestroy(context));
    assertEquals(before, EmulatedCuda.live());
  }

  private BackendDescriptor make(int type) {
    return BackendDescriptor.make(type, all);
  }

  private BackendDescriptor tensor(long id) {
    return make(cudnnBackendDescriptorType.CUDNN_BACKEND_TENSOR_DESCRIPTOR)
        .type(TYPE, HALF)
        .numbers(DIMS, SIZE)
        .numbers(STRIDES, LAST)
        .numbers(ID, id)
        .numbers(ALIGNMENT, 16);
  }

  private BackendDescriptor pointwise(int mode) {
    return make(cudnnBackendDescriptorType.CUDNN_BACKEND_POINTWISE_DESCRIPTOR)
        .choose(MODE, cudnnBackendAttributeType.CUDNN_TYPE_POINTWISE_MODE, mode)
        .type(PRECISION, 0);
  }

  private BackendDescriptor operation(int mode, BackendDescriptor x, BackendDescriptor y) {
    return make(cudnnBackendDescriptorType.CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
        .descriptor(POINTWISE, pointwise(mode).finish())
        .descriptor(X, x)
        .descriptor(Y, y);
  }

  private BackendDescriptor graph(BackendDescriptor... operations) {
    return make(cudnnBackendDescriptorType.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)
        .handle(cudnnBackendAttributeName.CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle.address())
        .descriptors(cudnnBackendAttributeName.CUDNN_ATTR_OPERATIONGRAPH_OPS, List.of(operations));
  }

  private static void refused(int status, String why, Runnable r) {
    BackendDescriptor.Refused e = assertThrows(BackendDescriptor.Refused.class, r::run, why);
    assertEquals(status, e.status(), e.getMessage());
    assertTrue(EmulatedCuda.lastMessage().contains(why), EmulatedCuda.lastMessage());
  }

  /** What is no misuse is refused without a complaint. */
  private static void unsupported(Runnable r) {
    assertEquals(3000, assertThrows(BackendDescriptor.Refused.class, r::run).status());
  }

  private void badTensor(String why, Consumer<BackendDescriptor> change) {
    BackendDescriptor t = tensor(1);
    change.accept(t);
    refused(2000, why, t::finish);
  }

  @Test
  void tensors() {
    tensor(1).finish();
    refused(
        2000,
        "attribute 900 of a tensor descriptor was never set",
        make(cudnnBackendDescriptorType.CUDNN_BACKEND_TENSOR_DESCRIPTOR)::finish);
    badTensor("as many strides as dimensions", t -> t.numbers(STRIDES, 15, 5, 1));
    badTensor("above 0", t -> t.numbers(DIMS, 2, 0, 3, 5));
    badTensor("above 0", t -> t.numbers(STRIDES, 120, -1, 40, 8));
    badTensor("no multiple of an element's size", t -> t.numbers(ALIGNMENT, 3));
    badTensor("by value goes one number", t -> t.flag(BY_VALUE, true));
    badTensor(
        "by value goes one number",
        t -> t.numbers(DIMS, 1, 1, 1, 1).flag(BY_VALUE, true).flag(VIRTUAL, true));
    refused(2010, "not of type 3", () -> tensor(1).numbers(TYPE, 2));
    refused(2000, "9 values for attribute 902", () -> tensor(1).numbers(DIMS, new long[9]));
    refused(2000, "no attribute 0", () -> tensor(1).choose(MODE, 14, ADD));
    refused(2000, "finalised already", () -> tensor(1).finish().numbers(ID, 2));
    refused(2000, "finalised already", () -> tensor(1).finish().finish());
    refused(1001, "not finalised", () -> tensor(1).number(ID));
    assertEquals(7, tensor(7).finish().number(ID));
  }

  @Test
  void operations() {
    BackendDescriptor x = tensor(1).finish();
    BackendDescriptor y = tensor(2).finish();
    operation(RELU, x, y).finish();
    refused(2000, "without ReLU", () -> pointwise(ADD).real(UPPER, 6).finish());
    refused(3000, "not emulated", () -> pointwise(777).finish());
    refused(2004, "must be finalised", () -> operation(RELU, tensor(1), y));
    refused(2000, "second operand", () -> operation(ADD, x, y).finish());
    refused(2000, "second operand", () -> operation(RELU, x, y).descriptor(B, x).finish());
    BackendDescriptor seven =
        tensor(3).numbers(DIMS, 1, 7, 1, 1).numbers(STRIDES, 7, 1, 7, 7).finish();
    refused(2000, "broadcast", () -> operation(ADD, x, y).descriptor(B, seven).finish());
    refused(2000, "other dimensions", () -> operation(RELU, seven, y).finish());
    refused(
        2000,
        "is a pointwise descriptor",
        () -> operation(RELU, pointwise(ADD).finish(), y).finish());
  }

  @Test
  void graphs() {
    BackendDescriptor x = tensor(1).finish();
    BackendDescriptor y = tensor(2).finish();
    BackendDescriptor between = tensor(3).flag(VIRTUAL, true).finish();
    BackendDescriptor first = operation(RELU, x, between).finish();
    BackendDescriptor second = operation(RELU, between, y).finish();
    graph(first, second).finish();
    refused(2000, "read unwritten", () -> graph(second, first).finish());
    refused(2000, "never read", () -> graph(first).finish());
    refused(2000, "written twice", () -> graph(first, second, second).finish());
    BackendDescriptor other = tensor(1).numbers(ALIGNMENT, 2).finish();
    refused(
        2000,
        "one unique id",
        () -> graph(first, second, operation(RELU, other, tensor(4).finish()).finish()).finish());
    refused(2000, "a graph is of operations", () -> graph(x).finish());
    unsupported(
        () ->
            make(cudnnBackendDescriptorType.CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)
                .descriptor(
                    cudnnBackendAttributeName.CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH,
                    graph(first, second).finish())
                .choose(
                    cudnnBackendAttributeName.CUDNN_ATTR_ENGINEHEUR_MODE,
                    cudnnBackendAttributeType.CUDNN_TYPE_HEUR_MODE,
                    GraphPlans.CUDNN_HEUR_MODE_A)
                .finish());
  }

  /** As 9.5.1 does: a residual goes before a bias, and no swish behind both. */
  @ParameterizedTest
  @CsvSource({"2, 3, 100, 0", "2, 3, 106, 3000", "3, 2, 100, 3000", "3, 2, 104, 0"})
  void patterns(int first, int second, int mode, int status) {
    BackendDescriptor convolution =
        new ConvolutionGraph(
                new ConvolutionGraph.Problem(
                    memory(),
                    memory().shaped(Shape.of(8, 8, 1, 1)),
                    memory(),
                    ConvolutionSpec.of(1, 0),
                    false,
                    false,
                    Activation.RELU,
                    Optional.empty(),
                    true),
                all)
            .operations()
            .get(0);
    BackendDescriptor full = tensor(20).finish();
    BackendDescriptor vector =
        tensor(30).numbers(DIMS, 1, 8, 1, 1).numbers(STRIDES, 8, 1, 8, 8).finish();
    BackendDescriptor[] inner = new BackendDescriptor[3];
    for (int i = 0; i < 3; i++) {
      inner[i] = tensor(100 + i).type(TYPE, 0).flag(VIRTUAL, true).finish();
    }
    BackendDescriptor g =
        graph(
            convolution,
            operation(ADD, inner[0], inner[1]).descriptor(B, first == 2 ? full : vector).finish(),
            operation(ADD, inner[1], inner[2]).descriptor(B, second == 2 ? full : vector).finish(),
            operation(mode, inner[2], tensor(9).finish()).finish());
    if (status == 0) {
      g.finish();
    } else {
      unsupported(g::finish);
    }
  }

  private static Cudnn.Memory memory() {
    return new Cudnn.Memory(Shape.of(SIZE), DType.F16, Layout.CHANNELS_LAST);
  }

  private BackendDescriptor pack(long[] ids, long... addresses) {
    return make(cudnnBackendDescriptorType.CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
        .numbers(cudnnBackendAttributeName.CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
        .addresses(cudnnBackendAttributeName.CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, addresses);
  }

  @Test
  void packs() {
    int workspace = cudnnBackendAttributeName.CUDNN_ATTR_VARIANT_PACK_WORKSPACE;
    pack(new long[] {1, 2}, 16, 32).addresses(workspace, 0).finish();
    refused(2000, "1003 of a pack", pack(new long[] {1, 2}, 16, 32)::finish);
    refused(2000, "as many addresses", pack(new long[] {1, 2}, 16).addresses(workspace, 0)::finish);
    refused(2000, "comes twice", pack(new long[] {1, 1}, 16, 32).addresses(workspace, 0)::finish);
  }
}
