package dev.secateur.device.cuda;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import dev.secateur.device.Precision;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import jcuda.jcudnn.cudnnBackendAttributeName;
import jcuda.jcudnn.cudnnBackendAttributeType;
import jcuda.jcudnn.cudnnBackendDescriptorType;
import jcuda.jcudnn.cudnnBackendNumericalNote;

/**
 * The execution plans that cuDNN has for a {@link ConvolutionGraph}: an engine with its settings
 * each, in the order in which its heuristics name them (mode A, and where that names none, those to
 * fall back on). Left out is what changes from run to run, rounds more than was asked for, or wants
 * more workspace than {@code -Dsecateur.cuda.workspace}.
 */
final class GraphPlans implements AutoCloseable {
  /** Of cudnnBackendHeurMode_t; JCuda's list of them ends before. */
  static final int CUDNN_HEUR_MODE_FALLBACK = 2;

  static final int CUDNN_HEUR_MODE_A = 3;
  private static final int MOST_CONFIGURATIONS = 16;
  private static final int MOST_NOTES = 32;

  private final ConvolutionTools tools;
  private final ConvolutionGraph.Problem problem;
  private final Cleanup closers = new Cleanup();
  private final List<BackendDescriptor> configurations;
  private final Map<Long, Memory> constants = new LinkedHashMap<>();
  private final List<Plan> built = new ArrayList<>();
  private String reason = "it has no engine for it";

  /**
   * A plan that can be executed.
   *
   * @param rank its place among those that the heuristics name
   * @param engine cuDNN's number of its engine
   * @param bytes of workspace
   * @param closers destroy it
   */
  record Plan(int rank, int engine, long bytes, BackendDescriptor descriptor, Cleanup closers) {}

  /**
   * @throws BackendDescriptor.Refused where cuDNN does not take the graph
   */
  GraphPlans(ConvolutionTools tools, ConvolutionGraph.Problem problem) {
    this.tools = tools;
    this.problem = problem;
    try {
      ConvolutionGraph graph = new ConvolutionGraph(problem, closers);
      graph
          .constants()
          .forEach(
              (id, value) -> {
                Memory m = new Memory(Float.BYTES);
                m.setFloat(0, value);
                constants.put(id, m);
              });
      BackendDescriptor all =
          BackendDescriptor.make(
                  cudnnBackendDescriptorType.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, closers)
              .handle(
                  cudnnBackendAttributeName.CUDNN_ATTR_OPERATIONGRAPH_HANDLE,
                  tools.cudnn().handleAddress())
              .descriptors(
                  cudnnBackendAttributeName.CUDNN_ATTR_OPERATIONGRAPH_OPS, graph.operations())
              .finish();
      List<BackendDescriptor> best = named(all, CUDNN_HEUR_MODE_A);
      configurations = best.isEmpty() ? named(all, CUDNN_HEUR_MODE_FALLBACK) : best;
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  /** What heuristics name, the fastest first by their estimate. */
  private List<BackendDescriptor> named(BackendDescriptor graph, int mode) {
    List<BackendDescriptor> out = new ArrayList<>();
    try {
      BackendDescriptor heuristics =
          BackendDescriptor.make(
                  cudnnBackendDescriptorType.CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, closers)
              .descriptor(cudnnBackendAttributeName.CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
              .choose(
                  cudnnBackendAttributeName.CUDNN_ATTR_ENGINEHEUR_MODE,
                  cudnnBackendAttributeType.CUDNN_TYPE_HEUR_MODE,
                  mode)
              .finish();
      for (int i = 0; i < MOST_CONFIGURATIONS; i++) {
        out.add(
            BackendDescriptor.make(
                cudnnBackendDescriptorType.CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, closers));
      }
      int n = heuristics.fill(cudnnBackendAttributeName.CUDNN_ATTR_ENGINEHEUR_RESULTS, out);
      return out.subList(0, n);
    } catch (BackendDescriptor.Refused e) {
      reason = e.getMessage();
      return List.of();
    }
  }

  /**
   * Builds plans; what cuDNN cannot build is passed over.
   *
   * @param ranks which
   * @param most so many at the most
   */
  void build(IntPredicate ranks, int most) {
    for (int rank = 0; rank < configurations.size() && built.size() < most; rank++) {
      if (ranks.test(rank)) {
        Cleanup own = new Cleanup();
        try {
          Plan p = plan(rank, own);
          if (p.bytes() <= ConvolutionAlgorithms.LIMIT) {
            built.add(p);
            continue;
          }
          reason = p.bytes() + " bytes of workspace";
        } catch (BackendDescriptor.Refused e) {
          reason = e.getMessage();
        }
        own.close();
      }
    }
  }

  /** In the order of the heuristics. */
  List<Plan> built() {
    return Collections.unmodifiableList(built);
  }

  /** Closes all others. */
  void keep(Plan one) {
    Cleanup others = new Cleanup();
    built.stream().filter(p -> !p.equals(one)).forEach(p -> others.add(p.closers()::close));
    built.retainAll(List.of(one));
    others.close();
  }

  private Plan plan(int rank, Cleanup own) {
    BackendDescriptor configuration = configurations.get(rank);
    BackendDescriptor engine =
        BackendDescriptor.make(cudnnBackendDescriptorType.CUDNN_BACKEND_ENGINE_DESCRIPTOR, own);
    configuration.fill(cudnnBackendAttributeName.CUDNN_ATTR_ENGINECFG_ENGINE, List.of(engine));
    int number =
        Math.toIntExact(engine.number(cudnnBackendAttributeName.CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
    int[] notes =
        engine.choices(
            cudnnBackendAttributeName.CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
            cudnnBackendAttributeType.CUDNN_TYPE_NUMERICAL_NOTE,
            MOST_NOTES);
    if (!Arrays.stream(notes).allMatch(this::allowed)) {
      throw new BackendDescriptor.Refused(0, "engine " + number + ", whose results may differ");
    }
    BackendDescriptor plan =
        BackendDescriptor.make(
                cudnnBackendDescriptorType.CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, own)
            .handle(
                cudnnBackendAttributeName.CUDNN_ATTR_EXECUTION_PLAN_HANDLE,
                tools.cudnn().handleAddress())
            .descriptor(
                cudnnBackendAttributeName.CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration)
            .finish();
    long bytes = plan.number(cudnnBackendAttributeName.CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
    return new Plan(rank, number, bytes, plan, own);
  }

  /** Tensor cores round single precision to TF32. */
  private boolean allowed(int note) {
    return switch (note) {
      case cudnnBackendNumericalNote.CUDNN_NUMERICAL_NOTE_TENSOR_CORE ->
          tools.precision() != Precision.FP32;
      case cudnnBackendNumericalNote.CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
              cudnnBackendNumericalNote.CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
              cudnnBackendNumericalNote.CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC ->
          false;
      default -> true;
    };
  }

  ConvolutionGraph.Problem problem() {
    return problem;
  }

  /** Why there is no plan, or none of some engine. */
  String reason() {
    return reason;
  }

  /** Addresses in the host's memory of what is passed by value, by the tensors' numbers. */
  Map<Long, Long> constants() {
    Map<Long, Long> out = new LinkedHashMap<>();
    constants.forEach((id, m) -> out.put(id, Pointer.nativeValue(m)));
    return out;
  }

  @Override
  public void close() {
    built.forEach(p -> closers.add(p.closers()::close));
    built.clear();
    closers.close();
  }
}
