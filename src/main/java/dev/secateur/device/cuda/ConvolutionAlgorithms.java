package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
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

  /** What to do where there is none. */
  static final String NONE =
      "cuDNN has no algorithm for a convolution within "
          + LIMIT
          + " bytes of workspace; raise -Dsecateur.cuda.workspace=BYTES";

  private static final int MOST = 16;
  private final Cudnn cudnn;

  ConvolutionAlgorithms(Cudnn cudnn) {
    this.cudnn = cudnn;
  }

  /** An algorithm's number and its workspace in bytes. */
  record Choice(int algorithm, long bytes) {}

  private record Offer(int algorithm, int status, boolean deterministic, int math) {}

  /**
   * @param math of {@link cudnnMathType}, as in {@code conv}
   */
  Optional<Choice> forward(
      cudnnTensorDescriptor x,
      cudnnFilterDescriptor w,
      cudnnConvolutionDescriptor conv,
      cudnnTensorDescriptor y,
      int math) {
    cudnnConvolutionFwdAlgoPerf[] found = new cudnnConvolutionFwdAlgoPerf[MOST];
    for (int i = 0; i < MOST; i++) {
      found[i] = new cudnnConvolutionFwdAlgoPerf();
    }
    int[] count = new int[1];
    int status =
        cudnnGetConvolutionForwardAlgorithm_v7(cudnn.handle(), x, w, conv, y, MOST, count, found);
    if (Status.cudnnCannot(status)) {
      return Optional.empty();
    }
    Status.cudnn(status, "cudnnGetConvolutionForwardAlgorithm_v7");
    List<Offer> offers = new ArrayList<>();
    for (int i = 0; i < count[0]; i++) {
      var f = found[i];
      offers.add(new Offer(f.algo, f.status, deterministic(f.determinism), f.mathType));
    }
    return choose(
        offers,
        math,
        (a, bytes) ->
            cudnnGetConvolutionForwardWorkspaceSize(cudnn.handle(), x, w, conv, y, a, bytes));
  }

  Optional<Choice> backwardData(
      cudnnFilterDescriptor w,
      cudnnTensorDescriptor dy,
      cudnnConvolutionDescriptor conv,
      cudnnTensorDescriptor dx,
      int math) {
    cudnnConvolutionBwdDataAlgoPerf[] found = new cudnnConvolutionBwdDataAlgoPerf[MOST];
    for (int i = 0; i < MOST; i++) {
      found[i] = new cudnnConvolutionBwdDataAlgoPerf();
    }
    int[] count = new int[1];
    int status =
        cudnnGetConvolutionBackwardDataAlgorithm_v7(
            cudnn.handle(), w, dy, conv, dx, MOST, count, found);
    if (Status.cudnnCannot(status)) {
      return Optional.empty();
    }
    Status.cudnn(status, "cudnnGetConvolutionBackwardDataAlgorithm_v7");
    List<Offer> offers = new ArrayList<>();
    for (int i = 0; i < count[0]; i++) {
      var f = found[i];
      offers.add(new Offer(f.algo, f.status, deterministic(f.determinism), f.mathType));
    }
    return choose(
        offers,
        math,
        (a, bytes) ->
            cudnnGetConvolutionBackwardDataWorkspaceSize(
                cudnn.handle(), w, dy, conv, dx, a, bytes));
  }

  Optional<Choice> backwardFilter(
      cudnnTensorDescriptor x,
      cudnnTensorDescriptor dy,
      cudnnConvolutionDescriptor conv,
      cudnnFilterDescriptor dw,
      int math) {
    cudnnConvolutionBwdFilterAlgoPerf[] found = new cudnnConvolutionBwdFilterAlgoPerf[MOST];
    for (int i = 0; i < MOST; i++) {
      found[i] = new cudnnConvolutionBwdFilterAlgoPerf();
    }
    int[] count = new int[1];
    int status =
        cudnnGetConvolutionBackwardFilterAlgorithm_v7(
            cudnn.handle(), x, dy, conv, dw, MOST, count, found);
    if (Status.cudnnCannot(status)) {
      return Optional.empty();
    }
    Status.cudnn(status, "cudnnGetConvolutionBackwardFilterAlgorithm_v7");
    List<Offer> offers = new ArrayList<>();
    for (int i = 0; i < count[0]; i++) {
      var f = found[i];
      offers.add(new Offer(f.algo, f.status, deterministic(f.determinism), f.mathType));
    }
    return choose(
        offers,
        math,
        (a, bytes) ->
            cudnnGetConvolutionBackwardFilterWorkspaceSize(
                cudnn.handle(), x, dy, conv, dw, a, bytes));
  }

  private static boolean deterministic(int determinism) {
    return determinism == cudnnDeterminism.CUDNN_DETERMINISTIC;
  }

  /** The offers are in cuDNN's order, the fastest first; sorting keeps it. */
  private static Optional<Choice> choose(
      List<Offer> offers, int math, ToIntBiFunction<Integer, long[]> workspace) {
    List<Offer> order = new ArrayList<>(offers);
    order.sort(Comparator.comparing(o -> !o.deterministic()));
    for (Offer o : order) {
      boolean allowed =
          math != cudnnMathType.CUDNN_FMA_MATH
              || o.math() == cudnnMathType.CUDNN_FMA_MATH
              || o.math() == cudnnMathType.CUDNN_DEFAULT_MATH;
      long[] bytes = new long[1];
      if (o.status() == 0
          && allowed
          && workspace.applyAsInt(o.algorithm(), bytes) == 0
          && bytes[0] <= LIMIT) {
        return Optional.of(new Choice(o.algorithm(), bytes[0]));
      }
    }
    return Optional.empty();
  }
}
