package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.SecateurException;
import dev.secateur.device.Arena;
import dev.secateur.device.Kernel;
import dev.secateur.util.Cleanup;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUresult;
import jcuda.driver.CUstreamCaptureMode;

/**
 * Sequences of kernels as CUDA graphs. The first launch of a sequence runs its kernels one by one,
 * so that the libraries load and choose what they need; the second captures them from the stream
 * into a graph, which is launched then and from there on. Scratch memory that was replaced in the
 * meantime makes it captured anew.
 *
 * <p>{@code -Dsecateur.cuda.graphs=false} turns graphs off. Where the driver or a library refuses a
 * capture, a warning says so once and this device launches kernels one by one.
 */
final class CudaGraphs {
  private static final System.Logger LOG = System.getLogger(CudaGraphs.class.getName());

  /**
   * What may not happen in a capture, such as allocating, fails for this thread, which captures,
   * and is allowed for all others.
   */
  private static final int MODE = CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;

  private final CudaContext context;
  private final CudaWorkspace workspace;
  private boolean wanted =
      Boolean.parseBoolean(System.getProperty("secateur.cuda.graphs", Boolean.toString(true)));

  CudaGraphs(CudaContext context, CudaWorkspace workspace) {
    this.context = context;
    this.workspace = workspace;
  }

  Kernel sequence(List<Kernel> kernels, Arena arena) {
    if (!(arena instanceof CudaArena own)) {
      throw new IllegalArgumentException("the arena belongs to another device");
    }
    Sequence s = new Sequence(Kernel.each(kernels));
    own.onClose(s::close);
    return s;
  }

  private final class Sequence implements Kernel {
    private final Kernel each;
    private final Set<CudaBuffer> buffers = new LinkedHashSet<>();
    private Optional<CUgraphExec> graph = Optional.empty();
    private int generation;
    private boolean warm;
    private boolean closed;

    Sequence(Kernel each) {
      this.each = each;
    }

    @Override
    public void launch() {
      if (closed) {
        throw new IllegalStateException("the arena of a sequence is closed");
      }
      context.enter();
      if (graph.isPresent() && generation != workspace.generation()) {
        destroy();
      }
      boolean capturable = warm && wanted && !context.gathering();
      Optional<SecateurException> problem = Optional.empty();
      if (graph.isEmpty() && capturable) {
        problem = capture();
      }
      if (graph.isPresent() && capturable) {
        buffers.forEach(CudaBuffer::requireOpen);
        Status.driver(
            cuGraphLaunch(graph.get(), context.stream()), "launching a graph (cuGraphLaunch)");
      } else {
        try {
          each.launch();
        } catch (SecateurException e) {
          if (problem.isEmpty()) {
            throw e;
          }
          problem.get().addSuppressed(e); // no failure of the capture alone
          throw problem.get();
        }
        if (problem.isPresent()) {
          refuse(problem.get().getMessage());
        }
        warm = true;
      }
    }

    /** The problem, if there is one. */
    private Optional<SecateurException> capture() {
      int begun = cuStreamBeginCapture(context.stream(), MODE);
      if (begun != CUresult.CUDA_SUCCESS) {
        return Optional.of(Status.driverFailure(begun, "beginning a graph (cuStreamBeginCapture)"));
      }
      buffers.clear();
      Optional<SecateurException> problem = Optional.empty();
      try {
        context.launch(each, buffers);
      } catch (SecateurException e) {
        problem = Optional.of(e);
      } catch (RuntimeException e) {
        throw Cleanup.after(e, () -> end(Optional.of(new SecateurException(e.getMessage(), e))));
      }
      return end(problem);
    }

    /** Ends a capture, and makes its graph ready unless there is a problem already. */
    private Optional<SecateurException> end(Optional<SecateurException> before) {
      CUgraph captured = new CUgraph();
      int ended = cuStreamEndCapture(context.stream(), captured);
      if (ended != CUresult.CUDA_SUCCESS) {
        return before.or(
            () -> Optional.of(Status.driverFailure(ended, "ending a graph (cuStreamEndCapture)")));
      }
      Optional<SecateurException> problem = before.or(() -> instantiate(captured));
      int freed = cuGraphDestroy(captured);
      if (problem.isEmpty()) {
        Status.driver(freed, "freeing a captured graph (cuGraphDestroy)");
      }
      return problem;
    }

    private Optional<SecateurException> instantiate(CUgraph captured) {
      CUgraphExec exec = new CUgraphExec();
      int status = cuGraphInstantiate(exec, captured, 0);
      if (status != CUresult.CUDA_SUCCESS) {
        return Optional.of(
            Status.driverFailure(status, "making a graph ready (cuGraphInstantiate)"));
      }
      graph = Optional.of(exec);
      generation = workspace.generation();
      return Optional.empty();
    }

    /** The driver keeps a graph that still runs until it has run. */
    private void destroy() {
      if (graph.isPresent()) {
        int status = cuGraphExecDestroy(graph.get());
        graph = Optional.empty();
        buffers.clear();
        Status.driver(status, "freeing a graph (cuGraphExecDestroy)");
      }
    }

    private void close() {
      closed = true;
      context.enter();
      destroy();
    }
  }

  private void refuse(String why) {
    wanted = false;
    LOG.log(
        System.Logger.Level.WARNING,
        "cuda:{0} makes no CUDA graph, so its kernels are launched one by one, which is slower for"
            + " small networks; -Dsecateur.cuda.graphs=false says so beforehand ({1})",
        Integer.toString(context.ordinal()),
        why);
  }
}
