package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;
import static jcuda.jcublas.JCublas2.*;
import static jcuda.jcudnn.JCudnn.*;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Random;
import jcuda.Pointer;
import jcuda.Sizeof;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnMathType;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcusolver.JCusolver;
import jcuda.jcusolver.JCusolverDn;
import jcuda.jcusolver.cusolverDnHandle;
import jcuda.runtime.cudaStream_t;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The emulated CUDA libraries compute what CUDA computes and refuse what CUDA refuses, seen through
 * JCuda.
 */
class EmulatedCudaTest {

  private static final String PTX =
      """
      .version 6.3
      .target sm_75
      .address_size 64
      .visible .entry secateur_multiply(
        .param .u64 secateur_multiply_param_0,
        .param .u64 secateur_multiply_param_1,
        .param .u64 secateur_multiply_param_2,
        .param .u64 secateur_multiply_param_3
      )
      { ret; }
      .visible .entry secateur_row_norms(
        .param .u64 p0, .param .u64 p1, .param .u64 p2, .param .u64 p3
      )
      { ret; }
      """;

  private CUcontext context;
  private CUstream stream;
  private String before;

  @BeforeAll
  static void load() {
    assumeTrue(TestCuda.emulated());
    EmulatedCuda.load();
  }

  @BeforeEach
  void open() {
    JCudaDriver.setExceptionsEnabled(false);
    JCublas2.setExceptionsEnabled(false);
    JCudnn.setExceptionsEnabled(false);
    JCusolver.setExceptionsEnabled(false);
    EmulatedCuda.reset();
    before = EmulatedCuda.live();
    ok(cuInit(0));
    CUdevice device = new CUdevice();
    ok(cuDeviceGet(device, 0));
    context = new CUcontext();
    ok(cuCtxCreate(context, 0, device));
    stream = new CUstream();
    ok(cuStreamCreate(stream, CUSTREAM_NON_BLOCKING));
  }

  private static final int CUSTREAM_NON_BLOCKING = 1;

  @AfterEach
  void close() {
    EmulatedCuda.reset();
    cuStreamDestroy(stream);
    cuCtxDestroy(context);
    assertEquals(before, EmulatedCuda.live(), "a test leaked");
  }

  // ---- it computes -----------------------------------------------------------------------------

  @Test
  void gemmEqualsPlainJava() {
    int m = 37, n = 53, k = 300;
    float[] a = random(m * k, 1), b = random(k * n, 2), c = random(m * n, 3);
    CUdeviceptr da = device(a), db = device(b), dc = device(c);
    cublasHandle handle = new cublasHandle();
    ok(cublasCreate(handle));
    ok(cublasSetStream(handle, new cudaStream_t(stream)));
    Pointer alpha = Pointer.to(new float[] {1.5f}), beta = Pointer.to(new float[] {-0.5f});
    int t = cublasOperation.CUBLAS_OP_T, nn = cublasOperation.CUBLAS_OP_N;
    ok(cublasSgemm(handle, t, nn, m, n, k, alpha, da, k, db, k, beta, dc, m));
    float[] got = floats(dc, m * n);
    for (int j = 0; j < n; j++) {
      for (int i = 0; i < m; i++) {
        double sum = 0;
        for (int p = 0; p < k; p++) {
          sum += (double) a[p + i * k] * b[p + j * k];
        }
        assertEquals(1.5 * sum - 0.5 * c[i + j * m], got[i + j * m], 1e-4);
      }
    }
    ok(cublasDestroy(handle));
    free(da, db, dc);
  }

  @Test
  void syrkLeavesTheOtherTriangleAlone() {
    int n = 131, k = 70;
    double[] a = new Random(4).doubles(n * k).toArray();
    double[] c = new double[n * n];
    java.util.Arrays.fill(c, 7);
    CUdeviceptr da = device(a), dc = device(c);
    cublasHandle handle = new cublasHandle();
    ok(cublasCreate(handle));
    ok(cublasSetStream(handle, new cudaStream_t(stream)));
    Pointer one = Pointer.to(new double[] {1}), zero = Pointer.to(new double[] {0});
    ok(cublasDsyrk(handle, 0, cublasOperation.CUBLAS_OP_N, n, k, one, da, n, zero, dc, n));
    double[] got = doubles(dc, n * n);
    for (int j = 0; j < n; j++) {
      for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int p = 0; p < k; p++) {
          sum += a[i + p * n] * a[j + p * n];
        }
        assertEquals(i < j ? 7 : sum, got[i + j * n], 1e-10);
      }
    }
    ok(cublasDestroy(handle));
    free(da, dc);
  }

  @Test
  void convolutionEqualsPlainJavaInBothLayouts() {
    for (boolean channelsLast : new boolean[] {false, true}) {
      for (int groups : new int[] {1, 2}) {
        convolve(channelsLast, groups);
      }
    }
  }

  private void convolve(boolean last, int groups) {
    int n = 2, c = 4, h = 7, w = 6, k = 6, r = 3, stride = 2, pad = 1, p = 4, q = 3;
    float[] x = random(n * c * h * w, 5), f = random(k * c / groups * r * r, 6);
    CUdeviceptr dx = device(x), df = device(f), dy = allocate(n * k * p * q * 4L);
    try (Dnn dnn = new Dnn(stream)) {
      int format = last ? 1 : 0;
      dnn.set(format, n, c, h, w, k, c / groups, r, pad, stride, groups, p, q);
      ok(cudnnSetConvolutionMathType(dnn.conv, cudnnMathType.CUDNN_FMA_MATH)); // else TF32
      int[] count = new int[1];
      cudnnConvolutionFwdAlgoPerf[] algorithms = new cudnnConvolutionFwdAlgoPerf[8];
      for (int i = 0; i < 8; i++) {
        algorithms[i] = new cudnnConvolutionFwdAlgoPerf();
      }
      ok(
          cudnnGetConvolutionForwardAlgorithm_v7(
              dnn.handle, dnn.x, dnn.w, dnn.conv, dnn.y, 8, count, algorithms));
      assertEquals(0, algorithms[0].status);
      assertTrue(algorithms[0].memory > 0, "the best algorithm takes a workspace");
      CUdeviceptr space = allocate(algorithms[0].memory);
      ok(dnn.forward(dx, df, algorithms[0].algo, space, algorithms[0].memory, dy));
      float[] y = floats(dy, n * k * p * q);
      for (int i = 0; i < y.length; i++) {
        int in = i / (k * p * q);
        int ik = last ? i % k : i / (p * q) % k;
        int pixel = last ? i / k % (p * q) : i % (p * q);
        int cg = c / groups;
        double sum = 0;
        for (int g = 0; g < cg; g++) {
          int channel = ik / (k / groups) * cg + g;
          for (int a = 0; a < r; a++) {
            for (int b = 0; b < r; b++) {
              int row = pixel / q * stride - pad + a, column = pixel % q * stride - pad + b;
              if (row >= 0 && row < h && column >= 0 && column < w) {
                int at =
                    last
                        ? ((in * h + row) * w + column) * c + channel
                        : ((in * c + channel) * h + row) * w + column;
                int weight =
                    last ? ((ik * r + a) * r + b) * cg + g : ((ik * cg + g) * r + a) * r + b;
                sum += (double) x[at] * f[weight];
              }
            }
          }
        }
        assertEquals(sum, y[i], 1e-5);
      }
      free(space);
    }
    free(dx, df, dy);
  }

  @Test
  void eigenvectorsSatisfyTheirEquation() {
    int n = 10;
    double[] a = new double[n * n];
    Random random = new Random(7);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j <= i; j++) {
        a[i * n + j] = a[j * n + i] = random.nextGaussian();
      }
    }
    CUdeviceptr da = device(a), dw = allocate(n * 8L), info = allocate(4);
    cusolverDnHandle handle = new cusolverDnHandle();
    ok(JCusolverDn.cusolverDnCreate(handle));
    ok(JCusolverDn.cusolverDnSetStream(handle, new cudaStream_t(stream)));
    int[] size = new int[1];
    ok(JCusolverDn.cusolverDnDsyevd_bufferSize(handle, 1, 0, n, da, n, dw, size));
    CUdeviceptr work = allocate(size[0] * 8L);
    assertNotEquals(
        0, JCusolverDn.cusolverDnDsyevd(handle, 1, 0, n, da, n, dw, work, size[0] - 1, info));
    ok(JCusolverDn.cusolverDnDsyevd(handle, 1, 0, n, da, n, dw, work, size[0], info));
    double[] v = doubles(da, n * n), w = doubles(dw, n);
    for (int e = 0; e < n; e++) {
      assertTrue(e == 0 || w[e - 1] <= w[e], "ascending");
      for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++) {
          sum += a[i * n + j] * v[j + e * n];
        }
        assertEquals(w[e] * v[i + e * n], sum, 1e-10);
      }
    }
    ok(JCusolverDn.cusolverDnDestroy(handle));
    free(da, dw, info, work);
  }

  @Test
  void kernelsRunWithBarriers() {
    CUmodule module = module(PTX);
    int rows = 3, columns = 1000;
    double[] w = new Random(8).doubles(rows * columns).toArray();
    CUdeviceptr dw = device(w), norms = allocate(rows * 8L);
    Pointer parameters = parameters(dw, norms, new long[] {rows}, new long[] {columns});
    ok(launch(function(module, "secateur_row_norms"), rows, 256, parameters));
    double[] got = doubles(norms, rows);
    for (int r = 0; r < rows; r++) {
      double sum = 0;
      for (int c = 0; c < columns; c++) {
        sum += w[r * columns + c] * w[r * columns + c];
      }
      assertEquals(sum, got[r], 1e-9 * sum);
    }
    free(dw, norms);
    ok(cuModuleUnload(module));
  }

  @Test
  void aCapturedGraphReplays() {
    CUmodule module = module(PTX);
    CUdeviceptr a = device(new double[] {1, 2, 3}), b = device(new double[] {2, 2, 2});
    Pointer parameters = parameters(a, b, a, new long[] {3});
    CUfunction multiply = function(module, "secateur_multiply");
    ok(cuStreamBeginCapture(stream, 2));
    ok(launch(multiply, 1, 32, parameters));
    CUgraph graph = new CUgraph();
    ok(cuStreamEndCapture(stream, graph));
    CUgraphExec exec = new CUgraphExec();
    ok(cuGraphInstantiate(exec, graph, 0));
    assertArrayEquals(new double[] {1, 2, 3}, doubles(a, 3));
    ok(cuGraphLaunch(exec, stream));
    ok(cuGraphLaunch(exec, stream));
    assertArrayEquals(new double[] {4, 8, 12}, doubles(a, 3));
    free(b);
    refused(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS, cuGraphLaunch(exec, stream), "was freed");
    EmulatedCuda.reset();
    ok(cuGraphExecDestroy(exec));
    ok(cuGraphDestroy(graph));
    ok(cuModuleUnload(module));
    free(a);
  }

  @Test
  void streamsRunNoEarlierThanTheyMust() {
    CUdeviceptr d = device(new float[] {0});
    Pointer pinned = new Pointer();
    ok(cuMemAllocHost(pinned, 4));
    pinned.getByteBuffer(0, 4).order(java.nio.ByteOrder.nativeOrder()).putFloat(0, 1);
    ok(cuMemcpyHtoDAsync(d, pinned, 4, stream));
    pinned.getByteBuffer(0, 4).order(java.nio.ByteOrder.nativeOrder()).putFloat(0, 2);
    assertEquals(2, floats(d, 1)[0], "staging memory that changes before the copy ran");
    ok(cuMemFreeHost(pinned));
    free(d);
  }

  @Test
  void eventsOrderStreams() {
    CUstream other = new CUstream();
    ok(cuStreamCreate(other, CUSTREAM_NON_BLOCKING));
    CUevent event = new CUevent();
    ok(cuEventCreate(event, 2));
    CUdeviceptr d = allocate(4);
    ok(cuMemsetD32Async(d, 5, 1, other));
    ok(cuEventRecord(event, other));
    assertEquals(CUresult.CUDA_ERROR_NOT_READY, cuEventQuery(event));
    ok(cuStreamWaitEvent(stream, event, 0));
    int[] got = new int[1];
    ok(cuMemcpyDtoHAsync(Pointer.to(got), d, 4, stream));
    assertEquals(5, got[0]);
    ok(cuEventDestroy(event));
    ok(cuStreamDestroy(other));
    free(d);
  }

  // ---- it refuses ------------------------------------------------------------------------------

  @Test
  void freshAndFreedMemoryIsNotZero() {
    CUdeviceptr d = allocate(8);
    assertTrue(Float.isNaN(floats(d, 2)[1]));
    assertTrue(Double.isNaN(doubles(d, 1)[0]));
    free(d);
  }

  @Test
  void useAfterFreeAndDoubleFree() {
    CUdeviceptr d = allocate(16);
    free(d);
    refused(
        CUresult.CUDA_ERROR_INVALID_VALUE,
        cuMemcpyDtoH(Pointer.to(new float[4]), d, 16),
        "was freed");
    refused(CUresult.CUDA_ERROR_INVALID_VALUE, cuMemFree(d), "was freed");
  }

  @Test
  void copiesBeyondAnAllocationAndBetweenTheWrongSides() {
    CUdeviceptr d = allocate(16);
    float[] host = new float[8];
    refused(CUresult.CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(d, Pointer.to(host), 20), "do not fit");
    refused(CUresult.CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(d, d, 16), "host memory expected");
    Pointer pinned = new Pointer();
    ok(cuMemAllocHost(pinned, 16));
    cublasHandle handle = new cublasHandle();
    ok(cublasCreate(handle));
    Pointer one = Pointer.to(new float[] {1});
    refused(7, cublasSaxpy(handle, 4, one, pinned, 1, d, 1), "not a device pointer");
    refused(7, cublasSaxpy(handle, 4, d, d, 1, d, 1), "host memory expected");
    refused(7, cublasSaxpy(handle, 5, one, d, 1, d, 1), "do not fit");
    refused(7, cublasSaxpy(handle, 3, one, d.withByteOffset(2), 1, d, 1), "not aligned");
    ok(cublasDestroy(handle));
    refused(1, cublasSaxpy(handle, 4, one, d, 1, d, 1), "destroyed");
    ok(cuMemFreeHost(pinned));
    free(d);
  }

  @Test
  void convolutionsThatDoNotFit() {
    CUdeviceptr x = allocate(4 * 2 * 4 * 5 * 5), w = allocate(4 * 8 * 4 * 9);
    CUdeviceptr y = allocate(4 * 2 * 8 * 5 * 5), space = allocate(64);
    try (Dnn dnn = new Dnn(stream)) {
      dnn.set(0, 2, 4, 5, 5, 8, 4, 3, 1, 1, 1, 5, 5);
      refused(2000, dnn.forward(x, w, 1, space, 64, y), "workspace of 64 bytes");
      refused(2000, dnn.forward(x, w, 1, new CUdeviceptr(), 4096, y), "workspace is null");
      ok(dnn.forward(x, w, 0, new CUdeviceptr(), 0, y));
      refused(3000, dnn.forward(x, w, 5, space, 64, y), "algorithm 5");
      refused(2000, dnn.forward(y, w, 0, space, 64, x), "do not fit into its allocation");
      dnn.set(0, 2, 4, 5, 5, 8, 4, 3, 1, 1, 1, 5, 4);
      refused(2000, dnn.forward(x, w, 0, space, 64, y), "must be 2 x 8 x 5 x 5");
      dnn.set(0, 2, 4, 5, 5, 8, 4, 3, 1, 1, 2, 5, 5);
      refused(2000, dnn.forward(x, w, 0, space, 64, y), "2 groups");
      dnn.set(0, 2, 4, 5, 5, 8, 4, 3, 1, 1, 1, 5, 5);
      ok(cudnnSetTensor4dDescriptor(dnn.x, 1, 0, 2, 4, 5, 5));
      refused(3000, dnn.forward(x, w, 0, space, 64, y), "same format");
      ok(cudnnSetTensor4dDescriptor(dnn.x, 0, 1, 2, 4, 5, 5));
      refused(2000, dnn.forward(x, w, 0, space, 64, y), "types of x, w, y differ");
    }
    ok(cuStreamSynchronize(stream));
    free(x, w, y, space);
  }

  @Test
  void modulesAndLaunchesThatAreWrong() {
    CUmodule module = new CUmodule();
    refused(CUresult.CUDA_ERROR_INVALID_IMAGE, load(module, "ELF"), "not PTX");
    refused(
        CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
        load(module, PTX.replace("6.3", "9.0")),
        "newer");
    refused(
        CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU,
        load(module, PTX.replace("sm_75", "sm_90")),
        "sm_90");
    refused(
        CUresult.CUDA_ERROR_INVALID_IMAGE,
        load(module, PTX.replace(".u64 p3", ".u32 p3")),
        "differ in their parameters");
    refused(
        CUresult.CUDA_ERROR_INVALID_IMAGE,
        load(module, PTX.replace("row_norms", "nothing")),
        "not among the kernels");
    ok(load(module, PTX));
    CUfunction function = new CUfunction();
    refused(
        CUresult.CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(function, module, "nothing"), "nothing");
    function = function(module, "secateur_multiply");
    CUdeviceptr a = device(new double[] {1, 2, 3});
    Pointer parameters = parameters(a, a, a, new long[] {3});
    int invalid = CUresult.CUDA_ERROR_INVALID_VALUE;
    refused(invalid, launch(function, 0, 32, parameters), "a grid of 0");
    refused(invalid, launch(function, 1, 2048, parameters), "a block of 2048");
    refused(
        invalid,
        cuLaunchKernel(function, 1, 70000, 1, 32, 1, 1, 0, stream, parameters, null),
        "a grid of 1 x 70000");
    refused(
        CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
        launch(function, 1, 32, parameters(new long[] {3}, a, a, a)),
        "parameter 0");
    EmulatedCuda.reset();
    ok(launch(function, 1, 32, parameters(a, a, a, new long[] {100})));
    assertEquals(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
    assertTrue(EmulatedCuda.lastMessage().contains("wrote outside the allocation"));
    EmulatedCuda.reset();
    ok(cuModuleUnload(module));
    refused(
        CUresult.CUDA_ERROR_INVALID_HANDLE, launch(function, 1, 32, parameters), "was destroyed");
    free(a);
  }

  @Test
  void destroyedStreamsAndEvents() {
    CUstream gone = new CUstream();
    ok(cuStreamCreate(gone, 0));
    ok(cuStreamDestroy(gone));
    CUdeviceptr d = allocate(4);
    refused(CUresult.CUDA_ERROR_INVALID_HANDLE, cuMemsetD32Async(d, 0, 1, gone), "was destroyed");
    refused(CUresult.CUDA_ERROR_INVALID_HANDLE, cuStreamDestroy(gone), "was destroyed");
    CUevent event = new CUevent();
    ok(cuEventCreate(event, 0));
    ok(cuEventDestroy(event));
    refused(CUresult.CUDA_ERROR_INVALID_HANDLE, cuEventRecord(event, stream), "was destroyed");
    free(d);
  }

  @Test
  void captureForbidsWaitingAndAllocating() {
    ok(cuStreamBeginCapture(stream, 0));
    refused(
        CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamSynchronize(stream), "capturing");
    CUgraph graph = new CUgraph();
    refused(
        CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
        cuStreamEndCapture(stream, graph),
        "invalidated");
    ok(cuStreamBeginCapture(stream, 0));
    refused(
        CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
        cuMemAlloc(new CUdeviceptr(), 16),
        "capturing");
    cuStreamEndCapture(stream, graph);
  }

  @Test
  void leaksAreListedAndCallsCounted() {
    EmulatedCuda.reset();
    CUdeviceptr d = allocate(12345);
    assertTrue(EmulatedCuda.live().contains("12345 bytes"));
    ok(cuMemcpyHtoD(d, Pointer.to(new float[4]), 16));
    assertEquals(1, EmulatedCuda.count("cuMemAlloc"));
    assertEquals(16, EmulatedCuda.count("bytes HtoD"));
    assertEquals(1, EmulatedCuda.count("synchronisations"));
    free(d);
    assertFalse(EmulatedCuda.live().contains("12345 bytes"));
  }

  @Test
  void failuresAreInjected() {
    EmulatedCuda.fail("cuMemAlloc", 2);
    CUdeviceptr first = allocate(16);
    refused(
        CUresult.CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc(new CUdeviceptr(), 16), "injected failure");
    free(first);
    EmulatedCuda.memory(1 << 20);
    refused(
        CUresult.CUDA_ERROR_OUT_OF_MEMORY,
        cuMemAlloc(new CUdeviceptr(), (1 << 20) + 1),
        "out of memory");
  }

  // ---- helpers ---------------------------------------------------------------------------------

  private static void ok(int status) {
    assertEquals(0, status, () -> "refused: " + EmulatedCuda.lastMessage());
  }

  private static void refused(int wanted, int status, String words) {
    assertEquals(wanted, status, () -> EmulatedCuda.lastMessage());
    assertTrue(EmulatedCuda.lastMessage().contains(words), () -> EmulatedCuda.lastMessage());
  }

  private static float[] random(int n, long seed) {
    Random random = new Random(seed);
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = random.nextFloat() - 0.5f;
    }
    return x;
  }

  private static CUdeviceptr allocate(long bytes) {
    CUdeviceptr d = new CUdeviceptr();
    ok(cuMemAlloc(d, bytes));
    return d;
  }

  private static void free(CUdeviceptr... all) {
    for (CUdeviceptr each : all) {
      ok(cuMemFree(each));
    }
  }

  private static CUdeviceptr device(float[] x) {
    CUdeviceptr d = allocate((long) x.length * Sizeof.FLOAT);
    ok(cuMemcpyHtoD(d, Pointer.to(x), (long) x.length * Sizeof.FLOAT));
    return d;
  }

  private static CUdeviceptr device(double[] x) {
    CUdeviceptr d = allocate((long) x.length * Sizeof.DOUBLE);
    ok(cuMemcpyHtoD(d, Pointer.to(x), (long) x.length * Sizeof.DOUBLE));
    return d;
  }

  private float[] floats(CUdeviceptr d, int n) {
    float[] x = new float[n];
    ok(cuStreamSynchronize(stream));
    ok(cuMemcpyDtoH(Pointer.to(x), d, (long) n * Sizeof.FLOAT));
    return x;
  }

  private double[] doubles(CUdeviceptr d, int n) {
    double[] x = new double[n];
    ok(cuStreamSynchronize(stream));
    ok(cuMemcpyDtoH(Pointer.to(x), d, (long) n * Sizeof.DOUBLE));
    return x;
  }

  private static int load(CUmodule module, String ptx) {
    return cuModuleLoadData(module, ptx);
  }

  private static CUmodule module(String ptx) {
    CUmodule module = new CUmodule();
    ok(load(module, ptx));
    return module;
  }

  private static CUfunction function(CUmodule module, String name) {
    CUfunction function = new CUfunction();
    ok(cuModuleGetFunction(function, module, name));
    return function;
  }

  private static Pointer parameters(Object... values) {
    Pointer[] pointers = new Pointer[values.length];
    for (int i = 0; i < values.length; i++) {
      pointers[i] =
          values[i] instanceof long[] number
              ? Pointer.to(number)
              : Pointer.to((CUdeviceptr) values[i]);
    }
    return Pointer.to(pointers);
  }

  private int launch(CUfunction function, int grid, int block, Pointer parameters) {
    return cuLaunchKernel(function, grid, 1, 1, block, 1, 1, 0, stream, parameters, null);
  }

  /** One convolution's descriptors. */
  private static final class Dnn implements AutoCloseable {
    final cudnnHandle handle = new cudnnHandle();
    final cudnnTensorDescriptor x = new cudnnTensorDescriptor();
    final cudnnTensorDescriptor y = new cudnnTensorDescriptor();
    final cudnnFilterDescriptor w = new cudnnFilterDescriptor();
    final cudnnConvolutionDescriptor conv = new cudnnConvolutionDescriptor();

    Dnn(CUstream stream) {
      ok(cudnnCreate(handle));
      ok(cudnnSetStream(handle, new cudaStream_t(stream)));
      ok(cudnnCreateTensorDescriptor(x));
      ok(cudnnCreateTensorDescriptor(y));
      ok(cudnnCreateFilterDescriptor(w));
      ok(cudnnCreateConvolutionDescriptor(conv));
    }

    void set(
        int format,
        int n,
        int c,
        int h,
        int w,
        int k,
        int cg,
        int r,
        int pad,
        int stride,
        int groups,
        int p,
        int q) {
      ok(cudnnSetTensor4dDescriptor(x, format, 0, n, c, h, w));
      ok(cudnnSetTensor4dDescriptor(y, format, 0, n, k, p, q));
      ok(cudnnSetFilter4dDescriptor(this.w, 0, format, k, cg, r, r));
      ok(cudnnSetConvolution2dDescriptor(conv, pad, pad, stride, stride, 1, 1, 1, 0));
      ok(cudnnSetConvolutionGroupCount(conv, groups));
    }

    int forward(
        CUdeviceptr px,
        CUdeviceptr pw,
        int algorithm,
        CUdeviceptr space,
        long bytes,
        CUdeviceptr py) {
      Pointer one = Pointer.to(new float[] {1}), zero = Pointer.to(new float[] {0});
      return cudnnConvolutionForward(
          handle, one, x, px, w, pw, conv, algorithm, space, bytes, zero, y, py);
    }

    @Override
    public void close() {
      ok(cudnnDestroyConvolutionDescriptor(conv));
      ok(cudnnDestroyFilterDescriptor(w));
      ok(cudnnDestroyTensorDescriptor(y));
      ok(cudnnDestroyTensorDescriptor(x));
      ok(cudnnDestroy(handle));
    }
  }
}
