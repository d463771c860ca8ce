package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.cuMemsetD8Async;
import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.SecateurException;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnMathType;

/**
 * Chooses a convolution's algorithm: the fastest whose results do not change from run to run and
 * whose workspace keeps within a limit.
 *
 * <p>The fastest is measured once for each shape on each kind of GPU (cudnnFindConvolution...Ex, on
 * memory of its own) and kept in an {@link AlgorithmCache}: the same cache gives the same choices
 * and so the same results. Where there is only one candidate, or no memory to measure in, cuDNN's
 * heuristics decide; where those recommend nothing, whatever cuDNN can do. With {@code
 * -Dsecateur.cuda.search=heuristic} they always do, and the cache is neither read nor written.
 */
final class ConvolutionAlgorithms {
  /** Bytes of workspace that one convolution may ask for. */
  static final long LIMIT = Long.getLong("secateur.cuda.workspace", 256L << 20);

  /** What to do where there is none. */
  static final String NONE =
      "cuDNN has no algorithm for a convolution within "
          + LIMIT
          + " bytes of workspace; raise -Dsecateur.cuda.workspace=BYTES";

  private static final int MOST = 16;
  private final CudaContext context;
  private final Cudnn cudnn;
  private final String libraries;
  private final Optional<AlgorithmCache> cache;

  /**
   * @param cache where choices are kept that are measured; none if heuristics decide
   */
  ConvolutionAlgorithms(CudaContext context, Cudnn cudnn, Optional<AlgorithmCache> cache) {
    this.context = context;
    this.cudnn = cudnn;
    this.libraries = libraries();
    this.cache = cache;
  }

  /** What a choice depends on beside the convolution, for its key. */
  static String libraries() {
    return " limit="
        + LIMIT
        + " cudnn="
        + Cudnn.version()
        + " driver="
        + CudaContext.driverVersion();
  }

  /**
   * Where choices are kept that are measured; none if heuristics decide.
   *
   * @throws SecateurException if secateur.cuda.search has another value
   */
  static Optional<AlgorithmCache> cache(CudaContext context) {
    String search = System.getProperty("secateur.cuda.search", "measure");
    return switch (search) {
      case "measure" ->
          Optional.of(AlgorithmCache.of(context.name() + " sm" + context.capability()));
      case "heuristic" -> Optional.empty();
      default ->
          throw new SecateurException(
              "-Dsecateur.cuda.search=" + search + "; expected measure or heuristic");
    };
  }

  /** What is computed: y, the gradient of x, or the gradient of w. */
  enum Pass {
    FORWARD("Forward", cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_COUNT, Set.of()),
    DATA(
        "BackwardData",
        cudnnConvolutionBwdDataAlgo.CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT,
        Set.of(cudnnConvolutionBwdDataAlgo.CUDNN_CONVOLUTION_BWD_DATA_ALGO_0)),
    WEIGHTS(
        "BackwardFilter",
        cudnnConvolutionBwdFilterAlgo.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT,
        Set.of(
            cudnnConvolutionBwdFilterAlgo.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0,
            cudnnConvolutionBwdFilterAlgo.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3));

    private final String name;
    private final int algorithms;
    private final Set<Integer> varying;

    /**
     * @param algorithms how many there are: their numbers are below
     * @param varying those whose results change from run to run, by cuDNN's documentation
     */
    Pass(String name, int algorithms, Set<Integer> varying) {
      this.name = name;
      this.algorithms = algorithms;
      this.varying = varying;
    }

    /** In words. */
    String words() {
      return switch (this) {
        case FORWARD -> "convolution of some kind";
        case DATA -> "gradient by the input of some convolution";
        case WEIGHTS -> "gradient by the filters of some convolution";
      };
    }

    private String finding() {
      String call = "cudnnFindConvolution" + name + "AlgorithmEx";
      return "choosing a convolution's algorithm (" + call + ")";
    }

    /** All algorithms, where cuDNN does not say which. */
    private List<Offer> all(int math) {
      return IntStream.range(0, algorithms)
          .mapToObj(a -> new Offer(a, 0, !varying.contains(a), math))
          .toList();
    }
  }

  /**
   * An algorithm's number, the math type that goes with it, and its workspace in bytes. What cuDNN
   * measures or recommends is the pair: with another math type it runs another kernel.
   */
  record Choice(int algorithm, int math, long bytes) {
    private AlgorithmCache.Entry entry() {
      return new AlgorithmCache.Entry(algorithm, math);
    }
  }

  private record Offer(int algorithm, int status, boolean deterministic, int math) {
    static Offer of(int algorithm, int status, int determinism, int math) {
      return new Offer(
          algorithm, status, determinism == cudnnDeterminism.CUDNN_DETERMINISTIC, math);
    }
  }

  private record Answer(int status, List<Offer> offers) {}

  /** An algorithm, where cuDNN could tell its workspace. */
  private record Sized(int status, Choice choice) {
    boolean fits() {
      return status == 0 && choice.bytes() <= LIMIT;
    }
  }

  /** Memory to measure in. */
  private record Scratch(
      DevicePointer x, DevicePointer w, DevicePointer y, DevicePointer space, long bytes) {}

  /** Empty where cuDNN has no algorithm at all or none within the limit. */
  Optional<Choice> choose(Pass pass, ConvolutionProblem p) {
    String key = pass + " " + p.key() + libraries;
    Optional<Choice> known = cache.flatMap(c -> c.get(key)).flatMap(e -> within(pass, p, e));
    if (known.isPresent()) {
      return known;
    }
    List<Choice> candidates = candidates(pass, p);
    if (cache.isPresent() && candidates.size() > 1) {
      Optional<Choice> best = measure(pass, p, candidates);
      Optional<Choice> kept =
          best.map(b -> cache.get().put(key, b.entry())).flatMap(e -> within(pass, p, e));
      return kept.or(() -> best).or(() -> Optional.of(candidates.get(0)));
    }
    return candidates.stream().findFirst();
  }

  /**
   * Those that cuDNN recommends, or where it recommends none all that it can do. Its verdict is
   * what it says of each one's workspace: a refusal of the recommendation says nothing, because the
   * status does not survive JCuda.
   */
  private List<Choice> candidates(Pass pass, ConvolutionProblem p) {
    List<Choice> recommended = usable(pass, p, recommended(pass, p));
    return recommended.isEmpty() ? usable(pass, p, pass.all(p.math())) : recommended;
  }

  /** In the order given, the fastest first, but what changes from run to run last. */
  private List<Choice> usable(Pass pass, ConvolutionProblem p, List<Offer> offers) {
    List<Sized> all =
        offers.stream()
            .filter(o -> o.status() == 0 && allowed(o.math(), p.math()))
            .sorted(Comparator.comparing(o -> !o.deterministic()))
            .map(o -> sized(pass, p, o.algorithm(), applied(o.math(), p.math())))
            .toList();
    List<Choice> fit = all.stream().filter(Sized::fits).map(Sized::choice).distinct().toList();
    if (fit.isEmpty()) {
      all.stream()
          .map(Sized::status)
          .filter(s -> !Status.cudnnCannot(s))
          .forEach(s -> Status.cudnn(s, "asking what memory a convolution needs"));
    }
    return fit;
  }

  /** Nothing less precise than what was asked for. */
  private static boolean allowed(int math, int wanted) {
    return wanted == cudnnMathType.CUDNN_FMA_MATH
        ? math == cudnnMathType.CUDNN_FMA_MATH || math == cudnnMathType.CUDNN_DEFAULT_MATH
        : math != cudnnMathType.CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION;
  }

  /** The default math type of single precision may mean TF32. */
  private static int applied(int math, int wanted) {
    return wanted == cudnnMathType.CUDNN_FMA_MATH ? wanted : math;
  }

  /** A choice that was kept, where cuDNN can run it within the limit. */
  private Optional<Choice> within(Pass pass, ConvolutionProblem p, AlgorithmCache.Entry kept) {
    return Optional.of(sized(pass, p, kept.algorithm(), kept.math()))
        .filter(s -> allowed(kept.math(), p.math()) && s.fits())
        .map(Sized::choice);
  }

  private Sized sized(Pass pass, ConvolutionProblem p, int a, int math) {
    long[] bytes = new long[1];
    cudnnHandle h = cudnn.handle();
    cudnnConvolutionDescriptor conv = cudnn.convolution(p.spec(), math);
    int status =
        switch (pass) {
          case FORWARD ->
              cudnnGetConvolutionForwardWorkspaceSize(h, p.x(), p.w(), conv, p.y(), a, bytes);
          case DATA ->
              cudnnGetConvolutionBackwardDataWorkspaceSize(h, p.w(), p.y(), conv, p.x(), a, bytes);
          case WEIGHTS ->
              cudnnGetConvolutionBackwardFilterWorkspaceSize(
                  h, p.x(), p.y(), conv, p.w(), a, bytes);
        };
    return new Sized(status, new Choice(a, math, bytes[0]));
  }

  /** The best by the clock; empty where it cannot be measured. */
  private Optional<Choice> measure(Pass pass, ConvolutionProblem p, List<Choice> candidates) {
    long space = candidates.stream().mapToLong(Choice::bytes).max().orElse(0);
    List<DevicePointer> taken = new ArrayList<>();
    Cleanup closers = new Cleanup();
    Optional<Choice> best;
    try {
      for (long bytes : new long[] {p.xm().bytes(), p.wm().bytes(), p.ym().bytes(), space}) {
        DevicePointer d = context.allocate(Math.max(1, bytes));
        closers.add(() -> context.free(d));
        taken.add(d);
        Status.driver(
            cuMemsetD8Async(d, (byte) 0, Math.max(1, bytes), context.stream()),
            "clearing memory to measure in");
      }
      Scratch s = new Scratch(taken.get(0), taken.get(1), taken.get(2), taken.get(3), space);
      best = usable(pass, p, measured(pass, p, s)).stream().findFirst();
    } catch (SecateurException e) {
      if (Cleanup.after(e, closers).getSuppressed().length > 0) {
        throw e; // more than memory that does not suffice
      }
      return Optional.empty();
    }
    closers.close();
    return best;
  }

  /** By cuDNN's heuristics; none where it refuses. */
  private List<Offer> recommended(Pass pass, ConvolutionProblem p) {
    try {
      Answer answer = answer(pass, p, Optional.empty());
      return answer.status() == 0 ? answer.offers() : List.of();
    } catch (ArrayIndexOutOfBoundsException e) {
      return List.of(); // JCuda reads a list even where cuDNN failed and wrote none
    }
  }

  private List<Offer> measured(Pass pass, ConvolutionProblem p, Scratch scratch) {
    try {
      Answer answer = answer(pass, p, Optional.of(scratch));
      Status.cudnn(answer.status(), pass.finding());
      return answer.offers();
    } catch (ArrayIndexOutOfBoundsException e) {
      throw new SecateurException("CUDA: " + pass.finding() + " failed: status not known", e);
    }
  }

  /** By measurement where there is memory for it, else by heuristics. */
  private Answer answer(Pass pass, ConvolutionProblem p, Optional<Scratch> scratch) {
    cudnnHandle h = cudnn.handle();
    int[] n = new int[1];
    cudnnConvolutionDescriptor conv = cudnn.convolution(p.spec(), p.math());
    return switch (pass) {
      case FORWARD -> {
        var found = filled(cudnnConvolutionFwdAlgoPerf::new, new cudnnConvolutionFwdAlgoPerf[MOST]);
        int status =
            scratch
                .map(
                    s ->
                        cudnnFindConvolutionForwardAlgorithmEx(
                            h, p.x(), s.x(), p.w(), s.w(), conv, p.y(), s.y(), MOST, n, found,
                            s.space(), s.bytes()))
                .orElseGet(
                    () ->
                        cudnnGetConvolutionForwardAlgorithm_v7(
                            h, p.x(), p.w(), conv, p.y(), MOST, n, found));
        yield new Answer(
            status,
            first(found, n[0])
                .map(f -> Offer.of(f.algo, f.status, f.determinism, f.mathType))
                .toList());
      }
      case DATA -> {
        var found =
            filled(cudnnConvolutionBwdDataAlgoPerf::new, new cudnnConvolutionBwdDataAlgoPerf[MOST]);
        int status =
            scratch
                .map(
                    s ->
                        cudnnFindConvolutionBackwardDataAlgorithmEx(
                            h, p.w(), s.w(), p.y(), s.y(), conv, p.x(), s.x(), MOST, n, found,
                            s.space(), s.bytes()))
                .orElseGet(
                    () ->
                        cudnnGetConvolutionBackwardDataAlgorithm_v7(
                            h, p.w(), p.y(), conv, p.x(), MOST, n, found));
        yield new Answer(
            status,
            first(found, n[0])
                .map(f -> Offer.of(f.algo, f.status, f.determinism, f.mathType))
                .toList());
      }
      case WEIGHTS -> {
        var found =
            filled(
                cudnnConvolutionBwdFilterAlgoPerf::new,
                new cudnnConvolutionBwdFilterAlgoPerf[MOST]);
        int status =
            scratch
                .map(
                    s ->
                        cudnnFindConvolutionBackwardFilterAlgorithmEx(
                            h, p.x(), s.x(), p.y(), s.y(), conv, p.w(), s.w(), MOST, n, found,
                            s.space(), s.bytes()))
                .orElseGet(
                    () ->
                        cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                            h, p.x(), p.y(), conv, p.w(), MOST, n, found));
        yield new Answer(
            status,
            first(found, n[0])
                .map(f -> Offer.of(f.algo, f.status, f.determinism, f.mathType))
                .toList());
      }
    };
  }

  private static <P> P[] filled(Supplier<P> one, P[] all) {
    Arrays.setAll(all, i -> one.get());
    return all;
  }

  private static <P> Stream<P> first(P[] found, int n) {
    return Arrays.stream(found, 0, n);
  }
}
