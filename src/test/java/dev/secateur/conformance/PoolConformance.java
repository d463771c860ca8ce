package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertNear;

import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Pooling and its gradients. All inputs are negative, so that padding never wins a maximum. */
interface PoolConformance extends Conformance {

  @ParameterizedTest
  @EnumSource
  default void poolAndItsGradient(PoolSpec.Kind kind) {
    for (PoolCase c : cases(kind)) {
      Shape ys = ReferenceLayers.pooled(c.spec(), c.x());
      Values draw = values(c.hashCode());
      double[] x = draw.distinct(c.x().elements(), -30);
      double[] g = draw.uniform(ys.elements());
      double[] expected = ReferenceLayers.pool(c.spec(), x, c.x());
      Tensor in = activation(c.x(), x);
      Tensor y = activation(ys);
      Tensor dx = activation(c.x());
      assertNear(
          expected, result(device().pools().forward(c.spec(), in, y), y), layer(), c.toString());
      TrainingKernels k =
          device().pools().training(c.spec(), in, y, activation(ys, g), dx, arena());
      assertNear(expected, result(k.forward(), y), layer(), "training " + c);
      assertNear(
          Differences.gradient(v -> ReferenceLayers.pool(c.spec(), v, c.x()), x, g),
          result(k.backward(), dx),
          GRADIENT + layer(),
          "dx " + c);
    }
  }

  /** A pooling's geometry. */
  record PoolCase(Shape x, PoolSpec spec) {}

  private static List<PoolCase> cases(PoolSpec.Kind kind) {
    return List.of(
        new PoolCase(Shape.of(2, 7, 6, 8), PoolSpec.square(kind, 2, 2, 0)),
        new PoolCase(Shape.of(1, 3, 7, 5), PoolSpec.square(kind, 2, 2, 0)),
        new PoolCase(Shape.of(2, 16, 7, 7), PoolSpec.square(kind, 3, 2, 1)),
        new PoolCase(Shape.of(1, 13, 5, 6), PoolSpec.square(kind, 3, 1, 1)),
        new PoolCase(Shape.of(2, 17, 1, 1), PoolSpec.square(kind, 1, 1, 0)),
        new PoolCase(Shape.of(1, 1, 1, 1), PoolSpec.square(kind, 3, 1, 1)),
        new PoolCase(Shape.of(3, 32, 4, 5), new PoolSpec(kind, 4, 5, 1, 1, 0, 0, 0, 0)),
        new PoolCase(Shape.of(2, 7, 8, 7), new PoolSpec(kind, 3, 2, 2, 1, 1, 0, 0, 1)),
        new PoolCase(Shape.of(1, 3, 5, 9), new PoolSpec(kind, 1, 4, 1, 3, 0, 2, 0, 1)),
        new PoolCase(Shape.of(1, 3, 9, 9), PoolSpec.square(kind, 2, 3, 0)),
        new PoolCase(Shape.of(2, 6, 9, 10), new PoolSpec(kind, 3, 2, 1, 2, 1, 1, 1, 1, 2, 3)),
        new PoolCase(Shape.of(1, 5, 7, 8), new PoolSpec(kind, 2, 3, 2, 1, 0, 2, 1, 1, 4, 2)));
  }
}
