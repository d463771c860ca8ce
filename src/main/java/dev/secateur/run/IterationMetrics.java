package dev.secateur.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.prune.Removal;
import dev.secateur.train.EpochMetrics;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * One iteration of a run; accuracies are top-1 in per cent on the held-out images.
 *
 * @param iteration 0 is the network as it came, or after its sparse training
 * @param filters prunable filters left
 * @param removed filters removed in this iteration, by convolution, indices before removal
 * @param dead those of them that the network could do without; none in runs before 0.2
 * @param afterPruning accuracy right after removal; of iteration 0, as it came
 * @param accuracy accuracy after fine-tuning or sparse training
 * @param loss cross-entropy likewise
 */
public record IterationMetrics(
    int iteration,
    long filters,
    long parameters,
    long macs,
    Removal removed,
    Removal dead,
    double afterPruning,
    double accuracy,
    double loss,
    List<EpochMetrics> epochs) {

  /** Whether there were images to know accuracies by. */
  public boolean measured() {
    return !Double.isNaN(accuracy);
  }

  /** Of iteration 0: the accuracy of the network as it came, which others are compared with. */
  public double came() {
    return afterPruning;
  }

  /**
   * Reads metrics.json, also of earlier versions, which knew no dead filters and whose epochs do
   * not say how long they took.
   *
   * @throws dev.secateur.SecateurException for a file that is damaged
   */
  static IterationMetrics read(Path file) {
    try {
      JsonNode json = Json.MAPPER.readTree(file.toFile());
      if (json instanceof ObjectNode o && !o.has("dead")) {
        o.putObject("dead");
      }
      for (JsonNode e : json.path("epochs")) {
        ObjectNode epoch = (ObjectNode) e;
        epoch.putIfAbsent("seconds", DoubleNode.valueOf(0));
        epoch.putIfAbsent("heldOutTop1", NullNode.getInstance());
        epoch.putIfAbsent("heldOutLoss", NullNode.getInstance());
      }
      return Json.MAPPER.treeToValue(json, IterationMetrics.class);
    } catch (IOException e) {
      throw RunRecord.damaged(file, e);
    }
  }
}
