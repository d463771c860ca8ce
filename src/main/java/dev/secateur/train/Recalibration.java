package dev.secateur.train;

import dev.secateur.data.Dataset;
import dev.secateur.nn.Network;
import dev.secateur.nn.NormStatistics;

/** Sets the running statistics of batch norms to what images give, without any training. */
public final class Recalibration {
  private Recalibration() {}

  /**
   * Means over batches of their statistics, as {@code torch.optim.swa_utils.update_bn}, on the
   * first images as they are, without augmentation; nothing for a network without batch norm, or
   * where there are fewer than two images.
   *
   * @param most images; an incomplete last batch is left out
   */
  public static void run(Network net, Dataset data, int most, int batch) {
    Evaluator.checkFits(net, data);
    int size = Math.min(batch, Math.min(most, data.size()));
    size -= data.paired() ? size % 2 : 0;
    if (size < 2 || !NormStatistics.has(net)) {
      return;
    }
    int whole = Math.min(most, data.size()) / size * size;
    try (NormStatistics statistics = new NormStatistics(net, size);
        BatchFeed feed = new BatchFeed(net.device(), data, statistics.input(), whole)) {
      boolean any = false;
      while (feed.next() > 0) {
        statistics.observe();
        any = true;
      }
      if (any) {
        statistics.replace();
      }
      net.device().synchronize();
    }
  }
}
