package dev.secateur.prune.criterion;

import dev.secateur.data.Dataset;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Pooling;
import dev.secateur.train.BatchFeed;
import dev.secateur.train.ProgressListener;

/**
 * What a criterion may look at. Criteria on features see a row of them for each image, or for each
 * pair.
 *
 * @param images training images, or pairs of them; the first {@code samples} images are used
 * @param batch images at once; even for pairs
 * @param pooling how a filter becomes one number, for criteria that work on features
 */
public record ScoringData(
    Dataset images, int samples, int batch, Pooling pooling, ProgressListener progress) {

  /**
   * @throws dev.secateur.SecateurException for pairs in batches of an odd number
   */
  public ScoringData {
    BatchFeed.checkBatch(images, batch);
  }

  /** The number of images there are to look at. */
  public int size() {
    return Math.min(samples, images.size()) / each() * each();
  }

  /** How many rows of features the images become. */
  int rows() {
    return size() / each();
  }

  /** How many rows of features a batch becomes. */
  int batchRows() {
    return batch / each();
  }

  /** Labels of rows are below this: the network's outputs, or same and different. */
  int classes(Graph graph) {
    return classes(images, graph);
  }

  static int classes(Dataset images, Graph graph) {
    return switch (images.labels()) {
      case CLASSES, PREDICTED -> graph.shape(graph.output().name()).size(1);
      case PAIRS -> 2;
      case NONE -> 1;
    };
  }

  /** What a row of features is of, for messages. */
  String row() {
    return images.paired() ? "pair" : "image";
  }

  private int each() {
    return images.paired() ? 2 : 1;
  }

  /** The same, but at most {@code most} images. */
  public ScoringData atMost(int most) {
    return new ScoringData(images, Math.min(samples, most), batch, pooling, progress);
  }
}
