package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.SecateurException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntSupplier;
import java.util.function.ToIntBiFunction;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnMathType;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * Chooses a convolution's algorithm by cuDNN's heuristics: the fastest whose results do not change
 * from run to run and whose workspace keeps within a limit. Nothing runs on the GPU.
 */
final class ConvolutionAlgorithms {
  /** Bytes of workspace that one convolution may ask for. */
  private static final long LIMIT = Long.getLong("secateur.cuda.workspace", 256L << 20);

  private static final int MOST = 16;
  private final Cudnn cudnn;

  ConvolutionAlgorithms(Cudnn cudnn) {
    this.cudnn = cudnn;
  }

  /** An algorithm's number and its workspace in bytes. */
  record Choice(int algorithm, long bytes) {}

  private record Offer(int algorithm, int status, boolean deterministic, int math) {}

  Choice forward(
      cudnnTensorDescriptor x,
      cudnnFilterDescriptor w,
      cudnnConvolutionDescriptor conv,
      cudnnTensorDescriptor y) {
    cudnnConvolutionFwdAlgoPerf[] found = new cudnnConvolutionFwdAlgoPerf[MOST];
    for (int i = 0; i < MOST; i++) {
      found[i] = new cudnnConvolutionFwdAlgoPerf();
    }
    int[] count = new int[1];
    ask(
        "cudnnGetConvolutionForwardAlgorithm_v7",
        () ->
            cudnnGetConvolutionForwardAlgorithm_v7(
                cudnn.handle(), x, w, conv, y, MOST, count, found));
    List<Offer> offers = new ArrayList<>();
    for (int i = 0; i < count[0]; i++) {
      var f = found[i];
      offers.add(new Offer(f.algo, f.status, deterministic(f.determinism), f.mathType));
    }
    return choose(
        offers,
        (a, bytes) ->
            cudnnGetConvolutionForwardWorkspaceSize(cudnn.handle(), x, w, conv, y, a, bytes));
  }

  Choice backwardData(
      cudnnFilterDescriptor w,
      cudnnTensorDescriptor dy,
      cudnnConvolutionDescriptor conv,
      cudnnTensorDescriptor dx) {
    cudnnConvolutionBwdDataAlgoPerf[] found = new cudnnConvolutionBwdDataAlgoPerf[MOST];
    for (int i = 0; i < MOST; i++) {
      found[i] = new cudnnConvolutionBwdDataAlgoPerf();
    }
    int[] count = new int[1];
    ask(
        "cudnnGetConvolutionBackwardDataAlgorithm_v7",
        () ->
            cudnnGetConvolutionBackwardDataAlgorithm_v7(
                cudnn.handle(), w, dy, conv, dx, MOST, count, found));
    List<Offer> offers = new ArrayList<>();
    for (int i = 0; i < count[0]; i++) {
      var f = found[i];
      offers.add(new Offer(f.algo, f.status, deterministic(f.determinism), f.mathType));
    }
    return choose(
        offers,
        (a, bytes) ->
            cudnnGetConvolutionBackwardDataWorkspaceSize(
                cudnn.handle(), w, dy, conv, dx, a, bytes));
  }

  Choice backwardFilter(
      cudnnTensorDescriptor x,
      cudnnTensorDescriptor dy,
      cudnnConvolutionDescriptor conv,
      cudnnFilterDescriptor dw) {
    cudnnConvolutionBwdFilterAlgoPerf[] found = new cudnnConvolutionBwdFilterAlgoPerf[MOST];
    for (int i = 0; i < MOST; i++) {
      found[i] = new cudnnConvolutionBwdFilterAlgoPerf();
    }
    int[] count = new int[1];
    ask(
        "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
        () ->
            cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                cudnn.handle(), x, dy, conv, dw, MOST, count, found));
    List<Offer> offers = new ArrayList<>();
    for (int i = 0; i < count[0]; i++) {
      var f = found[i];
      offers.add(new Offer(f.algo, f.status, deterministic(f.determinism), f.mathType));
    }
    return choose(
        offers,
        (a, bytes) ->
            cudnnGetConvolutionBackwardFilterWorkspaceSize(
                cudnn.handle(), x, dy, conv, dw, a, bytes));
  }

  /** JCuda reads a list even where cuDNN failed and wrote none, and then forgets the status. */
  private static void ask(String api, IntSupplier call) {
    int status;
    try {
      status = call.getAsInt();
    } catch (ArrayIndexOutOfBoundsException e) {
      throw new SecateurException(
          "CUDA: choosing a convolution's algorithm (" + api + ") failed: status not known", e);
    }
    Status.cudnn(status, "choosing a convolution's algorithm (" + api + ")");
  }

  private static boolean deterministic(int determinism) {
    return determinism == cudnnDeterminism.CUDNN_DETERMINISTIC;
  }

  /** The offers are in cuDNN's order, the fastest first; sorting keeps it. */
  private static Choice choose(List<Offer> offers, ToIntBiFunction<Integer, long[]> workspace) {
    List<Offer> order = new ArrayList<>(offers);
    order.sort(Comparator.comparing(o -> !o.deterministic()));
    int problem = 0;
    for (Offer o : order) {
      boolean single =
          o.math() == cudnnMathType.CUDNN_FMA_MATH || o.math() == cudnnMathType.CUDNN_DEFAULT_MATH;
      if (o.status() != 0 || !single) {
        continue;
      }
      long[] bytes = new long[1];
      int status = workspace.applyAsInt(o.algorithm(), bytes);
      if (status == 0 && bytes[0] <= LIMIT) {
        return new Choice(o.algorithm(), bytes[0]);
      }
      problem = status == 0 ? problem : status;
    }
    Status.cudnn(problem, "asking what memory a convolution needs");
    throw new SecateurException(
        "cuDNN has no algorithm for a convolution within "
            + LIMIT
            + " bytes of workspace; raise -Dsecateur.cuda.workspace=BYTES");
  }
}
