package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertNear;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionKernels;
import dev.secateur.device.ConvolutionTraining;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Convolutions and linear layers, their epilogues and gradients. */
interface ConvolutionConformance extends Conformance {

  @ParameterizedTest
  @MethodSource({
    "dev.secateur.conformance.ConvolutionCase#small",
    "dev.secateur.conformance.ConvolutionCase#large"
  })
  default void convolution(ConvolutionCase c) {
    Values draw = values(c.hashCode());
    double[] x = draw.uniform(c.x().elements());
    double[] w = draw.uniform(c.w().elements());
    double[] expected = ReferenceLayers.convolution(c.spec(), x, c.x(), w, c.w());
    Tensor dx = activation(c.x(), x);
    Tensor dw = filters(w, c.w());
    Tensor y = activation(c.y());
    for (boolean frozen : new boolean[] {false, true}) {
      Kernel k = device().convolutions().forward(c.spec(), dx, dw, Epilogue.NONE, y, frozen);
      assertNear(expected, result(k, y), product(), "y, frozen " + frozen);
    }
  }

  @ParameterizedTest
  @MethodSource("dev.secateur.conformance.ConvolutionCase#small")
  default void convolutionGradients(ConvolutionCase c) {
    Values draw = values(c.hashCode());
    double[] x = draw.uniform(c.x().elements());
    double[] w = draw.uniform(c.w().elements());
    double[] g = draw.uniform(c.y().elements());
    Tensor dy = activation(c.y(), g);
    Tensor dx = activation(c.x());
    Tensor dw = filters(c.w());
    Kernel data = device().convolutions().backwardData(c.spec(), dy, filters(w, c.w()), dx);
    Kernel weights =
        device().convolutions().backwardWeights(c.spec(), activation(c.x(), x), dy, dw);
    assertNear(
        Differences.gradient(v -> ReferenceLayers.convolution(c.spec(), v, c.x(), w, c.w()), x, g),
        result(data, dx),
        (GRADIENT + product()),
        "dx");
    assertNear(
        Differences.gradient(v -> ReferenceLayers.convolution(c.spec(), x, c.x(), v, c.w()), w, g),
        result(weights, dw),
        (GRADIENT + product()),
        "dw");
  }

  @ParameterizedTest
  @MethodSource("dev.secateur.conformance.ConvolutionCase#small")
  default void convolutionTraining(ConvolutionCase c) {
    Values draw = values(c.hashCode());
    double[] x = draw.uniform(c.x().elements());
    double[] w = draw.uniform(c.w().elements());
    double[] b = draw.uniform(c.w().dim(0));
    double[] g = draw.uniform(c.y().elements());
    double[] product = ReferenceLayers.convolution(c.spec(), x, c.x(), w, c.w());
    double[] byW =
        Differences.gradient(v -> ReferenceLayers.convolution(c.spec(), x, c.x(), v, c.w()), w, g);
    double[] byX =
        Differences.gradient(v -> ReferenceLayers.convolution(c.spec(), v, c.x(), w, c.w()), x, g);
    Tensor y = activation(c.y());
    Tensor dx = activation(c.x());
    Tensor dw = filters(c.w());
    Tensor bias = typed(b, b.length);
    for (boolean whole : new boolean[] {true, false}) {
      ConvolutionTraining t =
          new ConvolutionTraining(
              c.spec(),
              activation(c.x(), x),
              filters(w, c.w()),
              whole ? Optional.of(bias) : Optional.empty(),
              y,
              activation(c.y(), g),
              dw,
              whole ? Optional.of(dx) : Optional.empty());
      ConvolutionKernels k = device().convolutions().training(t, arena());
      Optional<double[]> biases = Optional.of(b).filter(v -> whole);
      double[] expected =
          ReferenceLayers.epilogue(product, c.y(), biases, Optional.empty(), Activation.NONE);
      assertNear(expected, result(k.forward(), y), product(), "y");
      assertNear(byW, result(k.weights(), dw), GRADIENT + product(), "dw");
      assertEquals(whole, k.data().isPresent());
      if (whole) {
        assertNear(byX, result(k.data().get(), dx), GRADIENT + product(), "dx");
      }
    }
  }

  /**
   * {@code <g, conv(x, w)>} is linear in x and in w, so it is {@code <dx, x>} and {@code <dw, w>}.
   */
  @ParameterizedTest
  @MethodSource("dev.secateur.conformance.ConvolutionCase#large")
  default void convolutionGradientsAreAdjoint(ConvolutionCase c) {
    Values draw = values(c.hashCode());
    double[] x = draw.uniform(c.x().elements());
    double[] w = draw.uniform(c.w().elements());
    double[] g = draw.uniform(c.y().elements());
    Tensor dy = activation(c.y(), g);
    Tensor dx = activation(c.x());
    Tensor dw = filters(c.w());
    double[] byX =
        result(device().convolutions().backwardData(c.spec(), dy, filters(w, c.w()), dx), dx);
    double[] byW =
        result(device().convolutions().backwardWeights(c.spec(), activation(c.x(), x), dy, dw), dw);
    for (int i = 0; i < 3; i++) {
      double[] u = draw.uniform(x.length);
      double[] v = draw.uniform(w.length);
      double alongX = Differences.dot(g, ReferenceLayers.convolution(c.spec(), u, c.x(), w, c.w()));
      double alongW = Differences.dot(g, ReferenceLayers.convolution(c.spec(), x, c.x(), v, c.w()));
      double nearX =
          (GRADIENT + product())
              * Math.sqrt(Differences.dot(byX, byX) * Differences.dot(u, u) / 100);
      double nearW =
          (GRADIENT + product())
              * Math.sqrt(Differences.dot(byW, byW) * Differences.dot(v, v) / 100);
      assertEquals(alongX, Differences.dot(byX, u), nearX, "dx");
      assertEquals(alongW, Differences.dot(byW, v), nearW, "dw");
    }
  }

  /** Weights are read at the launch; frozen ones at the first launch, not before. */
  @Test
  default void convolutionReadsItsWeightsWhenLaunched() {
    ConvolutionCase c = ConvolutionCase.small().get(4);
    Values draw = values(5);
    double[] x = draw.uniform(c.x().elements());
    for (boolean frozen : new boolean[] {false, true}) {
      Tensor w = filters(c.w());
      Tensor y = activation(c.y());
      Kernel k =
          device()
              .convolutions()
              .forward(c.spec(), activation(c.x(), x), w, Epilogue.NONE, y, frozen);
      for (int i = 0; i < (frozen ? 1 : 2); i++) {
        double[] now = draw.uniform(c.w().elements());
        device().moves().fill(w, 0).launch();
        device().moves().copy(plain(now, c.w().toArray()), w).launch();
        k.launch();
        double[] expected = ReferenceLayers.convolution(c.spec(), x, c.x(), now, c.w());
        assertNear(expected, read(y), product(), "frozen " + frozen);
      }
    }
    double[] g = draw.uniform(c.y().elements());
    Tensor w = filters(c.w());
    Tensor dx = activation(c.x());
    Kernel back = device().convolutions().backwardData(c.spec(), activation(c.y(), g), w, dx);
    for (int i = 0; i < 2; i++) {
      double[] now = draw.uniform(c.w().elements());
      device().moves().copy(plain(now, c.w().toArray()), w).launch();
      back.launch();
      double[] expected =
          Differences.gradient(
              v -> ReferenceLayers.convolution(c.spec(), v, c.x(), now, c.w()), x, g);
      assertNear(expected, read(dx), (GRADIENT + product()), "dx");
    }
  }

  @Test
  default void biasGradients() {
    for (Shape s :
        new Shape[] {
          Shape.of(2, 7, 5, 3), Shape.of(1, 1, 1, 1), Shape.of(5, 16, 1, 1), Shape.of(4, 13, 9, 17)
        }) {
      double[] g = values(s.hashCode()).uniform(s.elements());
      Tensor db = plain(s.dim(1));
      double[] expected =
          Differences.gradient(
              b ->
                  ReferenceLayers.epilogue(
                      new double[g.length], s, Optional.of(b), Optional.empty(), Activation.NONE),
              new double[s.size(1)],
              g);
      Kernel k = device().reductions().biasBackward(activation(s, g), db);
      assertNear(expected, result(k, db), GRADIENT, s.toString());
    }
    double[] g = values(2).uniform(13 * 10);
    Tensor db = plain(10);
    double[] expected = new double[10];
    for (int i = 0; i < g.length; i++) {
      expected[i % 10] += g[i];
    }
    assertNear(
        expected,
        result(device().reductions().biasBackward(plain(g, 13, 10), db), db),
        FLOAT,
        "matrix");
  }

  @ParameterizedTest
  @EnumSource
  default void linear(Activation activation) {
    for (int[] nck : linearShapes()) {
      Values draw = values(nck[2]);
      double[] x = draw.uniform(nck[0] * nck[1]);
      double[] w = draw.uniform(nck[2] * nck[1]);
      Shape ys = Shape.of(nck[0], nck[2]);
      for (boolean bias : new boolean[] {false, true}) {
        Optional<double[]> b = Optional.of(draw.uniform(nck[2], -3, 5)).filter(v -> bias);
        double[] product = ReferenceLayers.linear(x, w, nck[1]);
        double[] expected = ReferenceLayers.epilogue(product, ys, b, Optional.empty(), activation);
        for (boolean logits : new boolean[] {false, true}) {
          Tensor y = logits ? plain(ys.toArray()) : typed(ys.toArray());
          Optional<Tensor> bias32 = b.map(v -> plain(v, v.length));
          Optional<Tensor> biases = logits ? bias32 : b.map(v -> typed(v, v.length));
          Epilogue epilogue = new Epilogue(biases, Optional.empty(), activation);
          Tensor tx = typed(x, nck[0], nck[1]);
          Kernel k = device().linear().forward(tx, typed(w, nck[2], nck[1]), epilogue, y);
          assertNear(expected, result(k, y), product(), y + " of " + nck[1]);
        }
      }
    }
  }

  @Test
  default void linearGradients() {
    Device device = device();
    for (int[] nck : linearShapes()) {
      int n = nck[0];
      int c = nck[1];
      int k = nck[2];
      Values draw = values(c);
      double[] x = draw.uniform(n * c);
      double[] w = draw.uniform(k * c);
      double[] g = draw.uniform(n * k);
      Tensor dy = typed(g, n, k);
      Tensor dx = typed(n, c);
      Tensor dw = plain(k, c);
      double[] byX = Differences.gradient(v -> ReferenceLayers.linear(v, w, c), x, g);
      double[] byW = Differences.gradient(v -> ReferenceLayers.linear(x, v, c), w, g);
      String what = n + "x" + c + " to " + k;
      Kernel data = device.linear().backwardData(dy, typed(w, k, c), dx);
      Kernel weights = device.linear().backwardWeights(typed(x, n, c), dy, dw);
      assertNear(byX, result(data, dx), GRADIENT + product(), "dx " + what);
      assertNear(byW, result(weights, dw), GRADIENT + product(), "dw " + what);
    }
  }

  private static int[][] linearShapes() {
    return new int[][] {{1, 1, 1}, {1, 17, 13}, {7, 3, 1}, {5, 64, 10}, {16, 32, 16}, {3, 7, 101}};
  }
}
