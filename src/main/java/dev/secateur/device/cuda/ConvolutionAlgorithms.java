package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.SecateurException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
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
    Status.cudnn(
        cudnnGetConvolutionForwardAlgorithm_v7(cudnn.handle(), x, w, conv, y, MOST, count, found),
        "choosing a convolution's algorithm (cudnnGetConvolutionForwardAlgorithm_v7)");
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
    Status.cudnn(
        cudnnGetConvolutionBackwardDataAlgorithm_v7(
            cudnn.handle(), w, dy, conv, dx, MOST, count, found),
        "choosing a convolution's algorithm (cudnnGetConvolutionBackwardDataAlgorithm_v7)");
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
    Status.cudnn(
        cudnnGetConvolutionBackwardFilterAlgorithm_v7(
            cudnn.handle(), x, dy, conv, dw, MOST, count, found),
        "choosing a convolution's algorithm (cudnnGetConvolutionBackwardFilterAlgorithm_v7)");
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

  private static boolean deterministic(int determinism) {
    return determinism == cudnnDeterminism.CUDNN_DETERMINISTIC;
  }

  /** The offers are in cuDNN's order, the fastest first; sorting keeps it. */
  private static Choice choose(List<Offer> offers, ToIntBiFunction<Integer, long[]> workspace) {
    List<Offer> order = new ArrayList<>(offers);
    order.sort(Comparator.comparing(o -> !o.deterministic()));
    for (Offer o : order) {
      boolean single =
          o.math() == cudnnMathType.CUDNN_FMA_MATH || o.math() == cudnnMathType.CUDNN_DEFAULT_MATH;
      long[] bytes = new long[1];
      if (o.status() == 0
          && single
          && workspace.applyAsInt(o.algorithm(), bytes) == 0
          && bytes[0] <= LIMIT) {
        return new Choice(o.algorithm(), bytes[0]);
      }
    }
    throw new SecateurException(
        "cuDNN has no algorithm for a convolution within "
            + LIMIT
            + " bytes of workspace; raise -Dsecateur.cuda.workspace=BYTES");
  }
}
