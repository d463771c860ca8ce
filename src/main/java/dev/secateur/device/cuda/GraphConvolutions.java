package dev.secateur.device.cuda;

import dev.secateur.SecateurException;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
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
 * counted, and nothing else happens. {@code -Dsecateur.cuda.cudnn-graphs=never} leaves plans out,
 * {@code always} takes the first that cuDNN names without measuring. With {@code
 * -Dsecateur.cuda.search=heuristic} nothing is measured, so none is taken otherwise.
 */
final class GraphConvolutions {
  private static final String PROPERTY = "secateur.cuda.cudnn-graphs";

  /** Each may be compiled while the program starts. */
  private static final int MOST_CANDIDATES = 2;

  /** Plans that are kept though nothing uses them. */
  private static final int MOST_KNOWN = 256;

  /** What a plan must stay below, of the older call's time. */
  private static final double CLEARLY = 0.97;

  private static final int LAUNCHES = 3;
  private static final int REPEATS = 2;

  private enum Use {
    MEASURE,
    ALWAYS,
    NEVER
  }

  private final ConvolutionTools tools;
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
      plan.ifPresent(p -> p.closers().close());
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
      CudaTimer timer,
      Optional<AlgorithmCache> cache,
      Fallbacks fallbacks) {
    this.tools = tools;
    this.timer = timer;
    this.cache = cache;
    this.fallbacks = fallbacks;
    this.quiet = new ForwardConvolutions(tools, kind -> {});
    String text = System.getProperty(PROPERTY, "measure");
    this.use =
        Stream.of(Use.values())
            .filter(u -> u.name().toLowerCase(Locale.ROOT).equals(text))
            .findFirst()
            .orElseThrow(
                () ->
                    new SecateurException(
                        "-D" + PROPERTY + "=" + text + "; expected measure, always or never"));
  }

  /** Empty where the older calls are to be taken. */
  Optional<Kernel> compile(ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    Operands o = new Operands(spec, x, w, epilogue, y);
    ConvolutionGraph.Problem problem = ConvolutionGraph.Problem.of(spec, x, w, epilogue, y);
    boolean wanted = use == Use.ALWAYS || use == Use.MEASURE && cache.isPresent();
    if (!wanted || !problem.fuses() || !o.fit()) {
      return Optional.empty();
    }
    Known k = known.get(problem);
    if (k == null) {
      k = choose(problem, o);
      known.put(problem, k);
      forget();
    }
    Known chosen = k;
    return chosen.plan.map(p -> kernel(chosen, p, o));
  }

  private void forget() {
    Iterator<Known> eldest = known.values().iterator();
    while (known.size() > MOST_KNOWN && eldest.hasNext()) {
      Known k = eldest.next();
      if (k.users == 0) {
        eldest.remove();
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
    Optional<GraphPlans> plans = Optional.empty();
    try {
      List<GraphPlans.Plan> built = new ArrayList<>();
      plans = plans(problem, kept, built);
      if (plans.isEmpty()) {
        return new Known(plans, Optional.empty());
      }
      Optional<GraphPlans.Plan> same =
          built.stream()
              .filter(p -> kept.equals(Optional.of(entry(p))) || use == Use.ALWAYS)
              .findFirst();
      Optional<GraphPlans.Plan> best = same.isPresent() ? same : fastest(plans.get(), built, o);
      built.stream().filter(p -> !best.equals(Optional.of(p))).forEach(p -> p.closers().close());
      if (use == Use.MEASURE && kept.isEmpty()) {
        cache.get().put(key, best.map(GraphConvolutions::entry).orElse(AlgorithmCache.Entry.NONE));
      }
      if (best.isEmpty()) {
        plans.get().close();
        return new Known(Optional.empty(), best);
      }
      if (!plans.get().problem().propagates()) {
        fallbacks.add(ForwardConvolutions.LOSSY);
      }
      return new Known(plans, best);
    } catch (RuntimeException e) {
      plans.ifPresent(p -> Cleanup.after(e, p));
      throw e;
    }
  }

  private static AlgorithmCache.Entry entry(GraphPlans.Plan p) {
    return new AlgorithmCache.Entry(p.rank(), p.engine());
  }

  /** With a ReLU that passes NaN on, else with one that does not; counts what is refused. */
  private Optional<GraphPlans> plans(
      ConvolutionGraph.Problem problem,
      Optional<AlgorithmCache.Entry> kept,
      List<GraphPlans.Plan> built) {
    int most = use == Use.ALWAYS ? 1 : MOST_CANDIDATES;
    String reason = "";
    List<ConvolutionGraph.Problem> ways =
        problem.clips() ? List.of(problem, problem.lossy()) : List.of(problem);
    for (ConvolutionGraph.Problem way : ways) {
      try {
        GraphPlans plans = new GraphPlans(tools, way);
        kept.ifPresent(e -> built.addAll(plans.build(rank -> rank == e.algorithm(), 1)));
        if (built.isEmpty()) {
          built.addAll(plans.build(rank -> true, most));
        }
        if (!built.isEmpty()) {
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

  /** Empty where the older calls are as fast, or where there is no memory to measure in. */
  private Optional<GraphPlans.Plan> fastest(
      GraphPlans plans, List<GraphPlans.Plan> built, Operands like) {
    CudaArena arena = new CudaArena(tools.context(), closed -> {});
    Optional<GraphPlans.Plan> best = Optional.empty();
    try {
      Operands o = like.in(arena);
      double least = CLEARLY * milliseconds(o.with(quiet));
      for (GraphPlans.Plan p : built) {
        GraphExecution run = new GraphExecution(tools, plans, p, o.all().toList());
        CudaBuffer.of(o.y()).onFree(run::close);
        int status = run.execute();
        if (status == 0) {
          double ms = milliseconds(() -> run.require(run.execute()));
          if (ms < least) {
            least = ms;
            best = Optional.of(p);
          }
        } else {
          refused(plans, status);
        }
      }
    } catch (SecateurException e) {
      if (Cleanup.after(e, arena).getSuppressed().length > 0) {
        throw e; // more than memory that does not suffice
      }
      return Optional.empty();
    }
    arena.close();
    return best;
  }

  /** The least of some, when all is loaded. */
  private double milliseconds(Kernel k) {
    k.launch();
    double least = Double.POSITIVE_INFINITY;
    for (int i = 0; i < REPEATS; i++) {
      double ms =
          timer.milliseconds(
              () -> {
                for (int j = 0; j < LAUNCHES; j++) {
                  k.launch();
                }
              });
      least = Math.min(least, ms);
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
