package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Kernel;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;

/**
 * The running statistics of a network's batch norms computed anew, each as the mean over batches of
 * what the batch has, as {@code torch.optim.swa_utils.update_bn} does. Only forward, and on the
 * device: {@link #observe} takes a batch, {@link #replace} ends it.
 */
public final class NormStatistics implements AutoCloseable {
  private final Network net;
  private final Arena arena;
  private final TrainingProgram program;
  private final Tensor average;
  private final Tensor share;
  private final Kernel clear;
  private final Kernel gather;
  private int batches;

  /**
   * @param batch images at once, at least 2
   */
  public NormStatistics(Network net, int batch) {
    this.net = net;
    this.arena = net.device().newArena();
    try {
      program = TrainingProgram.ofNorms(net, batch);
      average = arena.floats(net.running().elements());
      share = arena.floats(1);
      clear = net.device().moves().fill(net.running(), 0);
      gather = net.device().training().average(average, net.running(), share);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, arena);
    }
  }

  /** Whether a network has any. */
  public static boolean has(Network net) {
    return net.graph().nodes().stream().anyMatch(n -> n.op() instanceof BatchNorm);
  }

  /** What is read of a batch; nobody looks at its labels. */
  public BatchInput input() {
    return program.input();
  }

  /** Enqueues the batch that lies in {@link #input}. */
  public void observe() {
    batches++;
    net.device().upload(new float[] {1f / batches}, share);
    clear.launch(); // so that the batch's part of the running statistics is the batch's, exactly
    program.forward();
    gather.launch();
  }

  /** Puts the mean over all batches in the place of the network's running statistics. */
  public void replace() {
    net.device().moves().copy(average, net.running()).launch();
  }

  @Override
  public void close() {
    program.close();
    arena.close();
  }
}
