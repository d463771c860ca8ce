package dev.secateur.device.cuda;

import dev.secateur.SecateurException;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import jcuda.jcudnn.JCudnn;

/**
 * Convolutions with what follows them as one execution plan of cuDNN's graph API, where that is
 * faster than {@link ForwardConvolutions}: measured once for each kind on each kind of GPU, on
 * memory of its own, and kept in the {@link AlgorithmCache}. Where cuDNN takes no graph that is
 * counted, and nothing else happens. A plan may have to be compiled, so they are tried where a
 * function follows that the older call does not know; {@code -Dsecateur.cuda.cudnn-graphs=measure}
 * tries them for all convolutions, {@code never} leaves them out, {@code always} takes the first
 * that cuDNN names without measuring. With {@code -Dsecateur.cuda.search=heuristic} nothing is
 * measured, so none is taken otherwise.
 */
final class GraphConvolutions {
  private static final String PROPERTY = "secateur.cuda.cudnn-graphs";

  /** Each may be compiled while the program starts. */
  private static final int MOST_CANDIDATES = 2;

  /** Plans that are kept though nothing uses them. */
  private static final int MOST_KNOWN = 256;

  /** What a plan must stay below, of the older call's time. */
  private static final double CLEARLY = 0.97;

  private static final int LAUNCHES = 2;
  private static final int REPEATS = 2;

  private enum Use {
    FUNCTIONS,
    MEASURE,
    ALWAYS,
    NEVER
  }

  private final ConvolutionTools tools;
  private final CudaGraphs graphs;
  private final CudaTimer timer;
  private final Optional<AlgorithmCache> cache;
  private final Fallbacks fallbacks;
  private final ForwardConvolutions quiet;
  private final Use use;
  private final Map<ConvolutionGraph.Problem, Known> known = new LinkedHashMap<>(16, 0.75f, true);

  /** What was decided for a problem. */
  private static final class Known {
    private final Optional<GraphPlans> plans;
    private final Optional<GraphPlans.Plan> plan;
    private int users;

    Known(Optional<GraphPlans> plans, Optional<GraphPlans.Plan> plan) {
      this.plans = plans;
      this.plan = plan;
    }

    void close() {
      plans.ifPresent(GraphPlans::close);
    }
  }

  /** One convolution's operands. */
  private record Operands(ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    Stream<Tensor> all() {
      return Stream.of(Stream.of(x, w, y), epilogue.bias().stream(), epilogue.residual().stream())
          .flatMap(s -> s);
    }

    /** Whether all lie as plans want them, and y by itself. */
    boolean fit() {
      return all().allMatch(t -> t.byteOffset() % ConvolutionGraph.ALIGNMENT == 0)
          && all().filter(t -> t.buffer() == y.buffer() && t.byteOffset() == y.byteOffset()).count()
              == 1;
    }

    /** The same in other memory. */
    Operands in(CudaArena arena) {
      Epilogue e =
          new Epilogue(
              epilogue.bias().map(b -> like(b, arena)),
              epilogue.residual().map(r -> like(r, arena)),
              epilogue.activation(),
              epilogue.function());
      return new Operands(spec, like(x, arena), like(w, arena), e, like(y, arena));
    }

    private static Tensor like(Tensor t, CudaArena arena) {
      return arena.allocate(t.shape(), t.dtype(), t.layout());
    }

    Kernel with(ForwardConvolutions older) {
      return older.compile(spec, x, w, epilogue, y);
    }
  }

  /**
   * @param cache none if heuristics decide
   * @throws SecateurException if the property has another value
   */
  GraphConvolutions(
      ConvolutionTools tools,
      CudaGraphs graphs,
      CudaTimer timer,
      Optional<AlgorithmCache> cache,
      Fallbacks fallbacks) {
    this.tools = tools;
    this.graphs = graphs;
    this.timer = timer;
    this.cache = cache;
    this.fallbacks = fallbacks;
    this.quiet = new ForwardConvolutions(tools, kind -> {});
    String text = System.getProperty(PROPERTY, "functions");
    this.use =
        Stream.of(Use.values())
            .filter(u -> u.name().toLowerCase(Locale.ROOT).equals(text))
            .findFirst()
            .orElseThrow(
                () ->
                    new SecateurException(
                        "-D"
                            + PROPERTY
                            + "="
                            + text
                            + "; expected functions, measure, always or never"));
  }

  /** Empty where the older calls are to be taken. */
  Optional<Kernel> compile(ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    Operands o = new Operands(spec, x, w, epilogue, y);
    ConvolutionGraph.Problem problem = ConvolutionGraph.Problem.of(spec, x, w, epilogue, y);
    boolean wanted =
        switch (use) {
          case FUNCTIONS -> cache.isPresent() && epilogue.function().isPresent();
          case MEASURE -> cache.isPresent();
          case ALWAYS -> true;
          case NEVER -> false;
        };
    if (!wanted || !problem.fuses() || !o.fit()) {
      return Optional.empty();
    }
    Known k = known.get(problem);
    if (k == null) {
      k = choose(problem, o);
      known.put(problem, k);
      forget(k);
    }
    Known chosen = k;
    return chosen.plan.map(p -> kernel(chosen, p, o));
  }

  /** Closes what nothing uses, the eldest first, when there are too many. */
  private void forget(Known newest) {
    Iterator<Known> eldest = known.values().iterator();
    while (known.size() > MOST_KNOWN && eldest.hasNext()) {
      Known k = eldest.next();
      if (k.users == 0 && k != newest) {
        eldest.remove();
        tools.context().synchronize(); // it may still run
        k.close();
      }
    }
  }

  private Known choose(ConvolutionGraph.Problem problem, Operands o) {
    String key = "GRAPH " + problem + " " + tools.precision() + ConvolutionAlgorithms.libraries();
    Optional<AlgorithmCache.Entry> kept =
        use == Use.MEASURE ? cache.flatMap(c -> c.get(key)) : Optional.empty();
    if (kept.equals(Optional.of(AlgorithmCache.Entry.NONE))) {
      return new Known(Optional.empty(), Optional.empty());
    }
    Optional<GraphPlans> found = plans(problem, kept);
    if (found.isEmpty()) {
      return new Known(found, Optional.empty());
    }
    GraphPlans plans = found.get();
    try {
      Optional<GraphPlans.Plan> same =
          plans.built().stream()
              .filter(p -> kept.equals(Optional.of(entry(p))) || use == Use.ALWAYS)
              .findFirst();
      Optional<GraphPlans.Plan> best = same.isPresent() ? same : fastest(key, plans, o);
      if (best.isEmpty()) {
        plans.close();
        return new Known(Optional.empty(), best);
      }
      plans.keep(best.get());
      if (!plans.problem().propagates()) {
        fallbacks.add(ForwardConvolutions.LOSSY);
      }
      return new Known(found, best);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, plans);
    }
  }

  private static AlgorithmCache.Entry entry(GraphPlans.Plan p) {
    return new AlgorithmCache.Entry(p.rank(), p.engine());
  }

  /** With a ReLU that passes NaN on, else with one that does not; counts what is refused. */
  private Optional<GraphPlans> plans(
      ConvolutionGraph.Problem problem, Optional<AlgorithmCache.Entry> kept) {
    String reason = "";
    List<ConvolutionGraph.Problem> ways =
        problem.clips() ? List.of(problem, problem.lossy()) : List.of(problem);
    for (ConvolutionGraph.Problem way : ways) {
      try {
        GraphPlans plans = built(way, kept);
        if (!plans.built().isEmpty()) {
          return Optional.of(plans);
        }
        reason = plans.reason();
        plans.close();
      } catch (BackendDescriptor.Refused e) {
        reason = e.getMessage();
      }
    }
    fallbacks.count(refusal(problem, reason));
    return Optional.empty();
  }

  private GraphPlans built(ConvolutionGraph.Problem problem, Optional<AlgorithmCache.Entry> kept) {
    GraphPlans plans = new GraphPlans(tools, problem);
    try {
      kept.ifPresent(e -> plans.build(rank -> rank == e.algorithm(), 1));
      if (plans.built().isEmpty()) {
        plans.build(rank -> true, use == Use.ALWAYS ? 1 : MOST_CANDIDATES);
      }
      return plans;
    } catch (RuntimeException e) {
      throw Cleanup.after(e, plans);
    }
  }

  private String refusal(ConvolutionGraph.Problem p, String reason) {
    String behind = p.function().map(f -> f.kind().name()).orElseGet(() -> p.activation().name());
    return "cuDNN's graph API does not take some convolution in "
        + tools.precision()
        + (behind.equals("NONE") ? "" : " with " + behind)
        + " behind it, so its older calls do it: "
        + reason;
  }

  private void refused(GraphPlans plans, int status) {
    String reason = JCudnn.cudnnGetErrorString(status) + " when executed";
    fallbacks.count(refusal(plans.problem(), reason));
  }

  /**
   * Empty where the older calls are as fast, which is kept, or where there is no memory to measure
   * in.
   */
  private Optional<GraphPlans.Plan> fastest(String key, GraphPlans plans, Operands own) {
    own.with(quiet); // what memory it needs beside its operands is there from here on
    CudaArena arena = new CudaArena(tools.context(), closed -> {});
    Operands o;
    try {
      o = own.in(arena);
      plans.built().forEach(p -> tools.workspace().reserve(p.bytes()));
    } catch (SecateurException e) {
      if (Cleanup.after(e, arena).getSuppressed().length > 0) {
        throw e; // more than memory that does not suffice
      }
      return Optional.empty();
    }
    Optional<GraphPlans.Plan> best;
    try {
      best = fastest(plans, o, arena);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, arena);
    }
    arena.close();
    cache.get().put(key, best.map(GraphConvolutions::entry).orElse(AlgorithmCache.Entry.NONE));
    return best;
  }

  private Optional<GraphPlans.Plan> fastest(GraphPlans plans, Operands o, CudaArena arena) {
    Optional<GraphPlans.Plan> best = Optional.empty();
    double least = CLEARLY * milliseconds(o.with(quiet), arena);
    for (GraphPlans.Plan p : plans.built()) {
      GraphExecution run = new GraphExecution(tools, plans, p, o.all().toList());
      CudaBuffer.of(o.y()).onFree(run::close);
      int status = run.execute();
      if (status != 0) {
        refused(plans, status);
        continue;
      }
      double ms = milliseconds(() -> run.require(run.execute()), arena);
      if (ms < least) {
        least = ms;
        best = Optional.of(p);
      }
    }
    return best;
  }

  /** The least of some, launched as programs are: by a graph of CUDA, without the host's time. */
  private double milliseconds(Kernel k, CudaArena arena) {
    Kernel some = graphs.sequence(Collections.nCopies(LAUNCHES, k), arena);
    some.launch();
    some.launch();
    double least = Double.POSITIVE_INFINITY;
    for (int i = 0; i < REPEATS; i++) {
      least = Math.min(least, timer.milliseconds(some::launch));
    }
    return least;
  }

  /** Goes on by the older calls where cuDNN refuses a plan that it built. */
  private Kernel kernel(Known k, GraphPlans.Plan plan, Operands o) {
    List<Tensor> tensors = o.all().toList();
    GraphExecution run = new GraphExecution(tools, k.plans.orElseThrow(), plan, tensors);
    k.users++;
    CudaBuffer.of(o.y())
        .onFree(
            () -> {
              k.users--;
              run.close();
            });
    Refusal refusal = new Refusal();
    List<Kernel> older = new ArrayList<>();
    return tools
        .context()
        .kernel(
            tensors,
            () -> {
              int status = refusal.refused() ? 0 : run.execute();
              if (refusal.refused() || refusal.is(status)) {
                if (older.isEmpty()) {
                  refused(k.plans.get(), status);
                  older.add(o.with(new ForwardConvolutions(tools, fallbacks::add)));
                }
                older.get(0).launch();
              } else {
                run.require(status);
              }
            });
  }

  void close() {
    Cleanup all = new Cleanup();
    known.values().forEach(k -> all.add(k::close));
    known.clear();
    all.close();
  }
}
