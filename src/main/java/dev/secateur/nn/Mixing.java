package dev.secateur.nn;

import dev.secateur.device.Moves;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;

/**
 * How the images of a step are mixed, and their labels with them.
 *
 * @param integers I32 (10 batch): the second label of each image, then the plan of {@link
 *     Moves#mixImages} image by image
 * @param floats F32 (2 batch): what each image's target has of its own label, then the blends
 */
public record Mixing(Tensor integers, Tensor floats) {
  private long batch() {
    return floats.elements() / 2;
  }

  Tensor labels() {
    return integers.view(0, Shape.of(batch()));
  }

  Tensor plan() {
    return integers.view(batch(), Shape.of(batch(), Moves.MIX_PLAN));
  }

  Tensor shares() {
    return floats.view(0, Shape.of(batch()));
  }

  Tensor blends() {
    return floats.view(batch(), Shape.of(batch()));
  }
}
