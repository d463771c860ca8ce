package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertNear;

import dev.secateur.device.Activation;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Convolutions with what is fused behind them. */
interface EpilogueConformance extends Conformance {

  @ParameterizedTest
  @CsvSource({
    "NONE, true, false",
    "NONE, false, true",
    "NONE, true, true",
    "RELU, false, false",
    "RELU, true, false",
    "RELU, false, true",
    "RELU, true, true",
    "RELU6, false, false",
    "RELU6, true, false",
    "RELU6, false, true",
    "RELU6, true, true"
  })
  default void convolutionEpilogue(Activation activation, boolean bias, boolean residual) {
    for (int i : new int[] {0, 3, 4, 6, 11, 13, 17, 22}) {
      ConvolutionCase c = ConvolutionCase.small().get(i);
      Values draw = values(i);
      double[] x = draw.uniform(c.x().elements());
      double[] w = draw.uniform(c.w().elements());
      Optional<double[]> b = Optional.of(draw.uniform(c.y().dim(1), -3, 5)).filter(v -> bias);
      Optional<double[]> r =
          Optional.of(draw.uniform(c.y().elements(), -3, 5)).filter(v -> residual);
      double[] expected =
          ReferenceLayers.epilogue(
              ReferenceLayers.convolution(c.spec(), x, c.x(), w, c.w()), c.y(), b, r, activation);
      Tensor y = activation(c.y());
      Epilogue epilogue =
          new Epilogue(
              b.map(v -> typed(v, v.length)), r.map(v -> activation(c.y(), v)), activation);
      Kernel k =
          device()
              .convolutions()
              .forward(c.spec(), activation(c.x(), x), filters(w, c.w()), epilogue, y, i == 4);
      assertNear(expected, result(k, y), product(), c.toString());
    }
  }

  /** Any function of one number may follow, with and without what is added before. */
  @ParameterizedTest
  @MethodSource("dev.secateur.conformance.EpilogueConformance#functions")
  default void convolutionFunction(ElementwiseSpec function) {
    for (int i : new int[] {0, 4, 5, 13, 15, 20, 23}) {
      ConvolutionCase c = ConvolutionCase.small().get(i);
      Values draw = values(i);
      double[] x = draw.uniform(c.x().elements());
      double[] w = draw.uniform(c.w().elements());
      Optional<double[]> b = Optional.of(draw.uniform(c.y().dim(1), -3, 5)).filter(v -> i != 5);
      Optional<double[]> r =
          Optional.of(draw.uniform(c.y().elements(), -3, 5)).filter(v -> i % 2 == 0);
      double[] before =
          ReferenceLayers.epilogue(
              ReferenceLayers.convolution(c.spec(), x, c.x(), w, c.w()),
              c.y(),
              b,
              r,
              Activation.NONE);
      Tensor y = activation(c.y());
      Epilogue epilogue =
          new Epilogue(
              b.map(v -> typed(v, v.length)),
              r.map(v -> activation(c.y(), v)),
              Activation.NONE,
              Optional.of(function));
      Kernel k =
          device()
              .convolutions()
              .forward(c.spec(), activation(c.x(), x), filters(w, c.w()), epilogue, y, true);
      double[] expected = ReferenceVision.elementwise(function, before);
      assertNear(expected, result(k, y), 3 * product(), c.toString());
    }
  }

  /** All that take any number. */
  static List<ElementwiseSpec> functions() {
    return VisionConformance.functions().stream()
        .filter(f -> f.kind() != ElementwiseSpec.Kind.POWER)
        .toList();
  }
}
