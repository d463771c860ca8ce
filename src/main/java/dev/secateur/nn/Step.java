package dev.secateur.nn;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * One launch of a compiled network; a library may make several kernels of the device of it.
 *
 * @param nodes what is computed, in order; behind them those whose result is the same memory under
 *     another name or shape. Empty where pooled features or logits in single precision are written
 * @param output the last result, with the batch in its first axis
 * @param bytes of what is read (activations, and parameters as they lie on the device), each once,
 *     and of the output: what has to move if nothing is in a cache. Where a kernel reads its input
 *     in part (a slice, a stride) the whole counts; scratch memory and index lists do not
 */
public record Step(Kernel kernel, List<Node> nodes, Tensor output, long bytes) {
  public Step {
    nodes = List.copyOf(nodes);
  }

  Step with(Node view) {
    List<Node> all = new ArrayList<>(nodes);
    all.add(view);
    return new Step(kernel, all, output, bytes);
  }
}
