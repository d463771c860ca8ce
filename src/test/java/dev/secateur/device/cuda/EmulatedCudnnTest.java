package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;
import static jcuda.jcudnn.JCudnn.*;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnActivationDescriptor;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnMathType;
import jcuda.jcudnn.cudnnPoolingDescriptor;
import jcuda.jcudnn.cudnnReduceTensorDescriptor;
import jcuda.jcudnn.cudnnTensorDescriptor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The emulated cuDNN's gradients are those of its forward passes; all in F64, on the null stream.
 */
class EmulatedCudnnTest {

  private static final int N = 3, C = 2, H = 5, W = 4, DOUBLE = 1;
  private static final Pointer ONE = Pointer.to(new double[] {1});
  private static final Pointer ZERO = Pointer.to(new double[] {0});

  private final cudnnHandle handle = new cudnnHandle();
  private final cudnnTensorDescriptor x = new cudnnTensorDescriptor();
  private final cudnnTensorDescriptor other = new cudnnTensorDescriptor();
  private final CUcontext context = new CUcontext();
  private String before;

  @BeforeEach
  void open() {
    EmulatedCuda.load();
    JCudaDriver.setExceptionsEnabled(false);
    JCudnn.setExceptionsEnabled(false);
    EmulatedCuda.reset();
    before = EmulatedCuda.live();
    ok(cuInit(0));
    CUdevice device = new CUdevice();
    ok(cuDeviceGet(device, 0));
    ok(cuCtxCreate(context, 0, device));
    ok(cudnnCreate(handle));
    ok(cudnnCreateTensorDescriptor(x));
    ok(cudnnCreateTensorDescriptor(other));
  }

  @AfterEach
  void close() {
    ok(cudnnDestroyTensorDescriptor(x));
    ok(cudnnDestroyTensorDescriptor(other));
    ok(cudnnDestroy(handle));
    ok(cuCtxDestroy(context));
    assertEquals(before, EmulatedCuda.live());
  }

  private interface Forward {
    void run(CUdeviceptr in, CUdeviceptr out);
  }

  private interface Backward {
    void run(CUdeviceptr in, CUdeviceptr out, CUdeviceptr gradOut, CUdeviceptr gradIn);
  }

  /** Compares gradIn with central differences of sum(gradOut * out). */
  private void gradient(int outputs, Forward forward, Backward backward) {
    int n = N * C * H * W;
    double[] values = random(n, 1), weights = random(outputs, 2);
    CUdeviceptr in = device(values), out = device(new double[outputs]);
    CUdeviceptr gradOut = device(weights), gradIn = device(new double[n]);
    forward.run(in, out);
    backward.run(in, out, gradOut, gradIn);
    double[] got = read(gradIn, n);
    double step = 1e-6;
    for (int i = 0; i < n; i++) {
      double[] loss = new double[2];
      for (int side = 0; side < 2; side++) {
        double[] moved = values.clone();
        moved[i] += side == 0 ? -step : step;
        write(in, moved);
        forward.run(in, out);
        double[] y = read(out, outputs);
        for (int j = 0; j < outputs; j++) {
          loss[side] += y[j] * weights[j];
        }
      }
      assertEquals((loss[1] - loss[0]) / (2 * step), got[i], 1e-6);
    }
    free(in, out, gradOut, gradIn);
  }

  @Test
  void batchNormInBothLayouts() {
    for (int format = 0; format < 2; format++) {
      ok(cudnnSetTensor4dDescriptor(x, format, DOUBLE, N, C, H, W));
      ok(cudnnDeriveBNTensorDescriptor(other, x, 1));
      CUdeviceptr scale = device(random(C, 3)), bias = device(random(C, 4));
      CUdeviceptr mean = device(new double[C]), variance = device(new double[] {1, 1});
      CUdeviceptr savedMean = device(new double[C]), saved = device(new double[C]);
      CUdeviceptr dscale = device(new double[C]), dbias = device(new double[C]);
      Forward forward =
          (in, out) ->
              ok(
                  cudnnBatchNormalizationForwardTraining(
                      handle, 1, ONE, ZERO, x, in, x, out, other, scale, bias, 0.1, mean, variance,
                      1e-5, savedMean, saved));
      gradient(
          N * C * H * W,
          forward,
          (in, out, gradOut, gradIn) ->
              ok(
                  cudnnBatchNormalizationBackward(
                      handle, 1, ONE, ZERO, ONE, ZERO, x, in, x, gradOut, x, gradIn, other, scale,
                      dscale, dbias, 1e-5, savedMean, saved)));
      CUdeviceptr in = device(random(N * C * H * W, 5)), out = device(new double[N * C * H * W]);
      write(variance, new double[] {1, 1});
      forward.run(in, out);
      double[] y = read(out, N * C * H * W), b = read(bias, C), inverse = read(saved, C);
      double[] sums = new double[C];
      for (int i = 0; i < y.length; i++) {
        sums[format == 0 ? i / (H * W) % C : i % C] += y[i];
      }
      int n = N * H * W;
      for (int c = 0; c < C; c++) {
        assertEquals(b[c], sums[c] / n, 1e-9);
        double batch = 1 / (inverse[c] * inverse[c]) - 1e-5;
        assertEquals(0.9 + 0.1 * batch * n / (n - 1), read(variance, C)[c], 1e-9);
      }
      free(scale, bias, mean, variance, savedMean, saved, dscale, dbias, in, out);
    }
  }

  @Test
  void pooling() {
    cudnnPoolingDescriptor pool = new cudnnPoolingDescriptor();
    ok(cudnnCreatePoolingDescriptor(pool));
    for (int format = 0; format < 2; format++) {
      for (int mode = 0; mode < 4; mode++) {
        ok(cudnnSetTensor4dDescriptor(x, format, DOUBLE, N, C, H, W));
        ok(cudnnSetPooling2dDescriptor(pool, mode, 0, 3, 3, 1, 1, 2, 2));
        ok(cudnnSetTensor4dDescriptor(other, format, DOUBLE, N, C, 3, 2));
        gradient(
            N * C * 6,
            (in, out) -> ok(cudnnPoolingForward(handle, pool, ONE, x, in, ZERO, other, out)),
            (in, out, gradOut, gradIn) ->
                ok(
                    cudnnPoolingBackward(
                        handle, pool, ONE, other, out, other, gradOut, x, in, ZERO, x, gradIn)));
      }
    }
    ok(cudnnSetTensor4dDescriptor(other, 1, DOUBLE, N, C, 3, 3));
    CUdeviceptr d = device(new double[N * C * H * W]);
    assertEquals(2000, cudnnPoolingForward(handle, pool, ONE, x, d, ZERO, other, d));
    assertTrue(EmulatedCuda.lastMessage().contains("must be 3 x 2 x 3 x 2"));
    free(d);
    ok(cudnnDestroyPoolingDescriptor(pool));
  }

  @Test
  void softmaxAndActivations() {
    ok(cudnnSetTensor4dDescriptor(x, 0, DOUBLE, N, C, H, W));
    for (int algorithm = 0; algorithm < 3; algorithm++) {
      for (int mode = 0; mode < 2; mode++) {
        int a = algorithm, m = mode;
        gradient(
            N * C * H * W,
            (in, out) -> ok(cudnnSoftmaxForward(handle, a, m, ONE, x, in, ZERO, x, out)),
            (in, out, gradOut, gradIn) ->
                ok(cudnnSoftmaxBackward(handle, a, m, ONE, x, out, x, gradOut, ZERO, x, gradIn)));
      }
    }
    cudnnActivationDescriptor activation = new cudnnActivationDescriptor();
    ok(cudnnCreateActivationDescriptor(activation));
    for (int mode : new int[] {0, 1, 2, 3, 4, 6}) {
      ok(cudnnSetActivationDescriptor(activation, mode, 0, 0.25));
      gradient(
          N * C * H * W,
          (in, out) -> ok(cudnnActivationForward(handle, activation, ONE, x, in, ZERO, x, out)),
          (in, out, gradOut, gradIn) ->
              ok(
                  cudnnActivationBackward(
                      handle, activation, ONE, x, out, x, gradOut, x, in, ZERO, x, gradIn)));
    }
    ok(cudnnDestroyActivationDescriptor(activation));
  }

  @Test
  void arithmeticAndReductions() {
    ok(cudnnSetTensor4dDescriptor(x, 1, DOUBLE, N, C, H, W));
    ok(cudnnSetTensor4dDescriptor(other, 0, DOUBLE, 1, C, 1, 1));
    double[] values = random(N * C * H * W, 6);
    CUdeviceptr a = device(values),
        c = device(new double[] {10, 20}),
        space = device(new double[64]);
    ok(cudnnAddTensor(handle, ONE, other, c, ONE, x, a));
    cudnnReduceTensorDescriptor sum = new cudnnReduceTensorDescriptor();
    ok(cudnnCreateReduceTensorDescriptor(sum));
    ok(cudnnSetReduceTensorDescriptor(sum, 5, DOUBLE, 0, 0, 0));
    long[] bytes = new long[1];
    ok(cudnnGetReductionWorkspaceSize(handle, sum, x, other, bytes));
    Pointer none = new Pointer();
    assertEquals(
        2000,
        cudnnReduceTensor(handle, sum, none, 0, space, bytes[0] - 1, ONE, x, a, ZERO, other, c));
    ok(cudnnReduceTensor(handle, sum, none, 0, space, bytes[0], ONE, x, a, ZERO, other, c));
    double[] want = {10, 20}, got = read(c, C);
    for (int i = 0; i < values.length; i++) {
      want[i % C] += values[i] / (N * H * W);
    }
    assertEquals(want[0], got[0], 1e-12);
    assertEquals(want[1], got[1], 1e-12);
    ok(cudnnSetTensor4dDescriptor(other, 0, DOUBLE, N, C, H, W));
    CUdeviceptr plain = device(new double[values.length]);
    ok(cudnnTransformTensor(handle, ONE, x, a, ZERO, other, plain));
    double[] last = read(a, values.length), first = read(plain, values.length);
    for (int i = 0; i < values.length; i++) {
      assertEquals(last[(i / (C * H * W) * H * W + i % (H * W)) * C + i / (H * W) % C], first[i]);
    }
    ok(cudnnDestroyReduceTensorDescriptor(sum));
    free(a, c, space, plain);
  }

  private static void ok(int status) {
    assertEquals(0, status, () -> "refused: " + EmulatedCuda.lastMessage());
  }

  private static double[] random(int n, long seed) {
    return new Random(seed).doubles(n, -1, 1).toArray();
  }

  private static CUdeviceptr device(double[] values) {
    CUdeviceptr d = new CUdeviceptr();
    ok(cuMemAlloc(d, values.length * 8L));
    write(d, values);
    return d;
  }

  private static void write(CUdeviceptr d, double[] values) {
    ok(cuMemcpyHtoD(d, Pointer.to(values), values.length * 8L));
  }

  private static double[] read(CUdeviceptr d, int n) {
    double[] values = new double[n];
    ok(cuMemcpyDtoH(Pointer.to(values), d, n * 8L));
    return values;
  }

  private static void free(CUdeviceptr... all) {
    for (CUdeviceptr each : all) {
      ok(cuMemFree(each));
    }
  }

  private static final int NCHW = 0, NHWC = 1;
  private static final int FLOAT = 0, HALF = 2, BFLOAT16 = 9;
  private static final int NOT_SUPPORTED = 3000, BAD_PARAM = 2000;

  /** What cuDNN's tables of types and formats have, and what they have not. */
  @Test
  void sixteenBitConvolutionsTakeWhatTheTablesHave() {
    for (int type : new int[] {HALF, BFLOAT16}) {
      assertEquals(0, convolution(type, type, NHWC, NHWC, FLOAT));
      assertEquals(0, convolution(type, type, NCHW, NCHW, FLOAT));
      assertEquals(NOT_SUPPORTED, convolution(type, type, NHWC, NCHW, FLOAT), "KCRS over NHWC");
      assertEquals(BAD_PARAM, convolution(type, FLOAT, NHWC, NHWC, FLOAT), "filters of F32");
      assertEquals(NOT_SUPPORTED, convolution(type, type, NHWC, NHWC, DOUBLE), "sums in F64");
    }
    assertEquals(BAD_PARAM, convolution(HALF, BFLOAT16, NHWC, NHWC, FLOAT), "two types");
    assertEquals(NOT_SUPPORTED, convolution(BFLOAT16, BFLOAT16, NHWC, NHWC, BFLOAT16));
  }

  private int convolution(int type, int filterType, int format, int filterFormat, int compute) {
    cudnnFilterDescriptor w = new cudnnFilterDescriptor();
    cudnnConvolutionDescriptor conv = new cudnnConvolutionDescriptor();
    ok(cudnnCreateFilterDescriptor(w));
    ok(cudnnCreateConvolutionDescriptor(conv));
    ok(cudnnSetTensor4dDescriptor(x, format, type, N, 3, H, W));
    ok(cudnnSetTensor4dDescriptor(other, format, type, N, 5, H, W));
    ok(cudnnSetFilter4dDescriptor(w, filterType, filterFormat, 5, 3, 3, 3));
    ok(cudnnSetConvolution2dDescriptor(conv, 1, 1, 1, 1, 1, 1, 1, compute));
    ok(cudnnSetConvolutionMathType(conv, cudnnMathType.CUDNN_FMA_MATH)); // number 0 has that
    int status = cudnnGetConvolutionForwardWorkspaceSize(handle, x, w, conv, other, 0, new long[1]);
    ok(cudnnDestroyFilterDescriptor(w));
    ok(cudnnDestroyConvolutionDescriptor(conv));
    return status;
  }

  /**
   * Batch norm with ReLU: N, H, W, C and the persistent mode only; in half, later in others too.
   */
  @Test
  void fusedBatchNormTakesChannelsLastOnly() {
    assertEquals(0, fusedNorm(NHWC, HALF, 2));
    assertEquals(NOT_SUPPORTED, fusedNorm(NCHW, HALF, 2));
    assertEquals(NOT_SUPPORTED, fusedNorm(NHWC, HALF, 1));
    int others = cudnnGetVersion() >= 90500 ? 0 : NOT_SUPPORTED;
    assertEquals(others, fusedNorm(NHWC, BFLOAT16, 2));
    assertEquals(others, fusedNorm(NHWC, FLOAT, 2));
  }

  private int fusedNorm(int format, int type, int mode) {
    cudnnActivationDescriptor relu = new cudnnActivationDescriptor();
    ok(cudnnCreateActivationDescriptor(relu));
    ok(cudnnSetActivationDescriptor(relu, 1, 1, 0));
    ok(cudnnSetTensor4dDescriptor(x, format, type, N, 3, H, W));
    ok(cudnnDeriveBNTensorDescriptor(other, x, mode));
    int status =
        cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(
            handle, mode, 1, x, x, x, other, relu, new long[1]);
    ok(cudnnDestroyActivationDescriptor(relu));
    return status;
  }
}
