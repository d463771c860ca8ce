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
import java.util.function.Supplier;
import java.util.stream.Stream;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
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
 * heuristics decide; with {@code -Dsecateur.cuda.search=heuristic} they always do, and the cache is
 * neither read nor written.
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
  private final CudaContext context;
  private final Cudnn cudnn;
  private final String libraries;
  private final Optional<AlgorithmCache> cache;

  /**
   * @throws SecateurException if secateur.cuda.search has another value
   */
  ConvolutionAlgorithms(CudaContext context, Cudnn cudnn) {
    this.context = context;
    this.cudnn = cudnn;
    this.libraries =
        " limit=" + LIMIT + " cudnn=" + Cudnn.version() + " driver=" + CudaContext.driverVersion();
    String search = System.getProperty("secateur.cuda.search", "measure");
    this.cache =
        switch (search) {
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
    FORWARD("Forward"),
    DATA("BackwardData"),
    WEIGHTS("BackwardFilter");

    private final String name;

    Pass(String name) {
      this.name = name;
    }

    private String what(String verb, String end) {
      String call = "cudnn" + verb + "Convolution" + name + "Algorithm" + end;
      return "choosing a convolution's algorithm (" + call + ")";
    }
  }

  /** An algorithm's number and its workspace in bytes. */
  record Choice(int algorithm, long bytes) {}

  private record Offer(int algorithm, int status, int determinism, int math) {
    boolean varies() {
      return determinism != cudnnDeterminism.CUDNN_DETERMINISTIC;
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
    Optional<Choice> known = cache.flatMap(c -> c.get(key)).flatMap(a -> within(pass, p, a));
    if (known.isPresent()) {
      return known;
    }
    Answer guess = ask(pass, p, Optional.empty());
    if (Status.cudnnCannot(guess.status())) {
      return Optional.empty();
    }
    Status.cudnn(guess.status(), pass.what("Get", "_v7"));
    List<Choice> candidates = usable(pass, p, guess);
    if (cache.isPresent() && candidates.size() > 1) {
      Optional<Choice> best = measure(pass, p, candidates);
      Optional<Choice> kept =
          best.map(b -> cache.get().put(key, b.algorithm())).flatMap(a -> within(pass, p, a));
      return kept.or(() -> best).or(() -> Optional.of(candidates.get(0)));
    }
    return candidates.stream().findFirst();
  }

  /** In cuDNN's order, the fastest first, but what changes from run to run last. */
  private List<Choice> usable(Pass pass, ConvolutionProblem p, Answer answer) {
    List<Sized> all =
        answer.offers().stream()
            .filter(o -> o.status() == 0 && allowed(o.math(), p.math()))
            .sorted(Comparator.comparing(Offer::varies))
            .map(o -> sized(pass, p, o.algorithm()))
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

  private static boolean allowed(int math, int wanted) {
    return wanted != cudnnMathType.CUDNN_FMA_MATH
        || math == cudnnMathType.CUDNN_FMA_MATH
        || math == cudnnMathType.CUDNN_DEFAULT_MATH;
  }

  /** An algorithm with its workspace, where cuDNN can run it within the limit. */
  private Optional<Choice> within(Pass pass, ConvolutionProblem p, int a) {
    return Optional.of(sized(pass, p, a)).filter(Sized::fits).map(Sized::choice);
  }

  private Sized sized(Pass pass, ConvolutionProblem p, int a) {
    long[] bytes = new long[1];
    cudnnHandle h = cudnn.handle();
    int status =
        switch (pass) {
          case FORWARD ->
              cudnnGetConvolutionForwardWorkspaceSize(h, p.x(), p.w(), p.conv(), p.y(), a, bytes);
          case DATA ->
              cudnnGetConvolutionBackwardDataWorkspaceSize(
                  h, p.w(), p.y(), p.conv(), p.x(), a, bytes);
          case WEIGHTS ->
              cudnnGetConvolutionBackwardFilterWorkspaceSize(
                  h, p.x(), p.y(), p.conv(), p.w(), a, bytes);
        };
    return new Sized(status, new Choice(a, bytes[0]));
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
      Answer answer = ask(pass, p, Optional.of(s));
      Status.cudnn(answer.status(), pass.what("Find", "Ex"));
      best = usable(pass, p, answer).stream().findFirst();
    } catch (SecateurException e) {
      if (Cleanup.after(e, closers).getSuppressed().length > 0) {
        throw e; // more than memory that does not suffice
      }
      return Optional.empty();
    }
    closers.close();
    return best;
  }

  /** JCuda reads a list even where cuDNN failed and wrote none, and then forgets the status. */
  private Answer ask(Pass pass, ConvolutionProblem p, Optional<Scratch> scratch) {
    try {
      return answer(pass, p, scratch);
    } catch (ArrayIndexOutOfBoundsException e) {
      String call = scratch.isPresent() ? pass.what("Find", "Ex") : pass.what("Get", "_v7");
      throw new SecateurException("CUDA: " + call + " failed: status not known", e);
    }
  }

  /** By measurement where there is memory for it, else by heuristics. */
  private Answer answer(Pass pass, ConvolutionProblem p, Optional<Scratch> scratch) {
    cudnnHandle h = cudnn.handle();
    int[] n = new int[1];
    return switch (pass) {
      case FORWARD -> {
        var found = filled(cudnnConvolutionFwdAlgoPerf::new, new cudnnConvolutionFwdAlgoPerf[MOST]);
        int status =
            scratch
                .map(
                    s ->
                        cudnnFindConvolutionForwardAlgorithmEx(
                            h, p.x(), s.x(), p.w(), s.w(), p.conv(), p.y(), s.y(), MOST, n, found,
                            s.space(), s.bytes()))
                .orElseGet(
                    () ->
                        cudnnGetConvolutionForwardAlgorithm_v7(
                            h, p.x(), p.w(), p.conv(), p.y(), MOST, n, found));
        yield new Answer(
            status,
            first(found, n[0])
                .map(f -> new Offer(f.algo, f.status, f.determinism, f.mathType))
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
                            h, p.w(), s.w(), p.y(), s.y(), p.conv(), p.x(), s.x(), MOST, n, found,
                            s.space(), s.bytes()))
                .orElseGet(
                    () ->
                        cudnnGetConvolutionBackwardDataAlgorithm_v7(
                            h, p.w(), p.y(), p.conv(), p.x(), MOST, n, found));
        yield new Answer(
            status,
            first(found, n[0])
                .map(f -> new Offer(f.algo, f.status, f.determinism, f.mathType))
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
                            h, p.x(), s.x(), p.y(), s.y(), p.conv(), p.w(), s.w(), MOST, n, found,
                            s.space(), s.bytes()))
                .orElseGet(
                    () ->
                        cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                            h, p.x(), p.y(), p.conv(), p.w(), MOST, n, found));
        yield new Answer(
            status,
            first(found, n[0])
                .map(f -> new Offer(f.algo, f.status, f.determinism, f.mathType))
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
