package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.nn.op.Concat;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/** The loss of outputs that are no classes, by those of a reference. */
public final class Imitation {
  private Imitation() {}

  /**
   * {@link dev.secateur.device.Training#imitation} of a network's output, in which each result that
   * is joined to it is a part.
   *
   * @param output F32 (N,K) or (N,C,H,W), of the graph
   * @param reference F32, of equal shape and layout
   * @param labels I32 (N)
   * @param metrics F64 (4)
   * @param gradient F32, likewise
   * @param arena outlives the kernel
   */
  public static Kernel loss(
      Device device,
      Graph graph,
      Tensor output,
      Tensor reference,
      Tensor labels,
      Tensor metrics,
      Optional<Tensor> gradient,
      Arena arena) {
    int[] ends = ends(graph);
    Tensor places = arena.allocate(Shape.of(ends.length), DType.I32, Layout.PLAIN);
    device.upload(ends, places);
    return device
        .training()
        .imitation(
            rows(output), rows(reference), labels, places, metrics, gradient.map(Imitation::rows));
  }

  /** Whether a network's output cannot be classes: it is maps, or several results joined. */
  public static boolean only(Graph graph) {
    Node last = graph.output();
    Shape out = graph.shape(last.name());
    return last.op() instanceof Concat || out.elements() > out.dim(1);
  }

  /** A row an image, in the order of the memory. */
  private static Tensor rows(Tensor t) {
    long n = t.shape().dim(0);
    Shape flat = Shape.of(n, t.elements() / n);
    return new Tensor(t.buffer(), t.byteOffset(), flat, t.dtype(), Layout.PLAIN);
  }

  private static int[] ends(Graph graph) {
    Node last = graph.output();
    List<String> parts = last.op() instanceof Concat ? last.inputs() : List.of(last.name());
    int[] ends = new int[parts.size()];
    int at = 0;
    for (int i = 0; i < ends.length; i++) {
      at += Math.toIntExact(graph.shape(parts.get(i)).elements());
      ends[i] = at;
    }
    return ends;
  }
}
