package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.cudnnBackendExecute;

import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import jcuda.jcudnn.cudnnBackendAttributeName;
import jcuda.jcudnn.cudnnBackendDescriptorType;

/**
 * A plan with its operands' addresses. They are told to cuDNN once, and again when scratch memory
 * was replaced.
 */
final class GraphExecution {
  private final ConvolutionTools tools;
  private final GraphPlans.Plan plan;
  private final long[] ids;
  private final long[] addresses;
  private final Cleanup closers = new Cleanup();
  private Optional<BackendDescriptor> pack = Optional.empty();
  private int generation;

  /**
   * @param tensors x, w, y, then bias and residual where the problem has them
   */
  GraphExecution(
      ConvolutionTools tools, GraphPlans plans, GraphPlans.Plan plan, List<Tensor> tensors) {
    this.tools = tools;
    this.plan = plan;
    tools.workspace().reserve(plan.bytes());
    List<Long> order =
        new ArrayList<>(List.of(ConvolutionGraph.X, ConvolutionGraph.W, ConvolutionGraph.Y));
    if (plans.problem().bias()) {
      order.add(ConvolutionGraph.BIAS);
    }
    if (plans.problem().residual()) {
      order.add(ConvolutionGraph.RESIDUAL);
    }
    List<Long> where = new ArrayList<>();
    tensors.forEach(t -> where.add(CudaBuffer.pointer(t).address()));
    for (Map.Entry<Long, Long> e : plans.constants().entrySet()) {
      order.add(e.getKey());
      where.add(e.getValue());
    }
    ids = order.stream().mapToLong(Long::longValue).toArray();
    addresses = where.stream().mapToLong(Long::longValue).toArray();
  }

  /** cuDNN's status. */
  int execute() {
    try {
      if (pack.isEmpty() || generation != tools.workspace().generation()) {
        renew();
      }
    } catch (BackendDescriptor.Refused e) {
      return e.status();
    }
    return cudnnBackendExecute(tools.cudnn().handle(), plan.descriptor(), pack.get());
  }

  private void renew() {
    close();
    generation = tools.workspace().generation();
    long space = plan.bytes() == 0 ? 0 : tools.workspace().pointer().address();
    pack =
        Optional.of(
            BackendDescriptor.make(
                    cudnnBackendDescriptorType.CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, closers)
                .numbers(cudnnBackendAttributeName.CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
                .addresses(
                    cudnnBackendAttributeName.CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, addresses)
                .addresses(cudnnBackendAttributeName.CUDNN_ATTR_VARIANT_PACK_WORKSPACE, space)
                .finish());
  }

  /**
   * @throws dev.secateur.SecateurException where the status is a failure
   */
  void require(int status) {
    Status.cudnn(status, "a convolution (cudnnBackendExecute)");
  }

  void close() {
    pack = Optional.empty();
    closers.close();
  }
}
