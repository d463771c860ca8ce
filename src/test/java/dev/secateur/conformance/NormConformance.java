package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertNear;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.secateur.device.Activation;
import dev.secateur.device.BatchNormTraining;
import dev.secateur.device.Folding;
import dev.secateur.device.Kernel;
import dev.secateur.device.Norms;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Batch norm in inference and training. */
interface NormConformance extends Conformance {

  @ParameterizedTest
  @EnumSource
  default void affine(Activation activation) {
    for (Shape s :
        new Shape[] {
          Shape.of(1, 1, 1, 1),
          Shape.of(2, 7, 5, 3),
          Shape.of(1, 17, 1, 1),
          Shape.of(2, 48, 9, 8),
          Shape.of(3, 24, 13, 7)
        }) {
      Values draw = values(s.hashCode());
      int c = s.size(1);
      double[] x = draw.uniform(s.elements(), -4, 9);
      double[] scale = draw.uniform(c, -2, 2);
      double[] shift = draw.uniform(c, -1, 4);
      double[] residual = draw.uniform(s.elements(), -3, 3);
      double[] plain = new double[x.length];
      for (int i = 0; i < x.length; i++) {
        int channel = i / (s.size(2) * s.size(3)) % c;
        plain[i] = x[i] * scale[channel] + shift[channel];
      }
      for (boolean sum : new boolean[] {false, true}) {
        double[] expected = plain.clone();
        for (int i = 0; i < x.length; i++) {
          expected[i] += sum ? residual[i] : 0;
        }
        expected = ReferenceLayers.activation(activation, expected);
        Tensor y = activation(s);
        Norms.Affine a =
            new Norms.Affine(
                activation(s, x),
                plain(scale, c),
                plain(shift, c),
                sum ? Optional.of(activation(s, residual)) : Optional.empty(),
                activation,
                y);
        assertNear(expected, result(device().norms().affine(a), y), layer(), s + " " + sum);
        // and the features of x beside it, of the first channels
        int own = (c + 1) / 2;
        for (PoolSpec.Kind kind : new PoolSpec.Kind[] {PoolSpec.Kind.MAX, PoolSpec.Kind.AVERAGE}) {
          Tensor f = plain(s.size(0), c + 2);
          Kernel both = device().norms().affineWithFeatures(a, kind, own, f, 1);
          device().moves().fill(y, 0).launch();
          assertNear(expected, result(both, y), layer(), s + " " + kind);
          double[] pooled = ReferenceMath.poolFeatures(kind, x, s);
          double[] got = read(f);
          for (int i = 0; i < got.length; i++) {
            int column = i % (c + 2) - 1;
            double wanted =
                column >= 0 && column < own ? pooled[i / (c + 2) * c + column] : GARBAGE;
            assertEquals(wanted, got[i], FLOAT * (1 + Math.abs(wanted)), s + " " + i);
          }
        }
      }
    }
  }

  /** Filters, matrices and vectors, into room of their own size and into more. */
  @ParameterizedTest
  @CsvSource({"7 5 3 3, 8 8", "7 5 3 3, 7 5", "16 1 5 1, 24 1", "6 9, 6 16", "11, 16", "4, 4"})
  default void foldedWeights(String own, String wide) {
    long[] dims = Arrays.stream(own.split(" ")).mapToLong(Long::parseLong).toArray();
    long[] more = dims.clone();
    String[] longer = wide.split(" ");
    for (int i = 0; i < longer.length; i++) {
      more[i] = Long.parseLong(longer[i]);
    }
    Shape s = Shape.of(dims);
    Shape ys = Shape.of(more);
    int k = s.size(0);
    Values draw = values(ys.hashCode());
    double[] w = draw.uniform(s.elements(), -2, 2);
    double[] bias = draw.uniform(k);
    double[] gamma = draw.uniform(k, -2, 2);
    double[] beta = draw.uniform(k);
    double[] mean = draw.uniform(k);
    double[] variance = draw.uniform(k, 0.25, 2);
    Folding.Norm norm =
        new Folding.Norm(
            plain(gamma, k), plain(beta, k), plain(mean, k), plain(variance, k), 1e-3f);
    boolean filters = s.rank() == 4;
    Layout layout = filters ? device().weightLayout() : Layout.PLAIN;
    for (int kind = 0; kind < 4; kind++) {
      boolean normed = kind % 2 == 1;
      boolean biased = kind >= 2;
      Tensor y = arena().allocate(ys, device().activationType(), layout);
      Tensor shift = arena().allocate(Shape.of(more[0]), y.dtype(), Layout.PLAIN);
      device()
          .norms()
          .fold(
              new Folding(
                  plain(w, dims),
                  biased ? Optional.of(plain(bias, k)) : Optional.empty(),
                  normed ? Optional.of(norm) : Optional.empty(),
                  y,
                  Optional.of(shift)))
          .launch();
      double[] weights = new double[(int) ys.elements()];
      double[] shifts = new double[(int) more[0]];
      int channels = dims.length > 1 ? s.size(1) : 1;
      int wideChannels = dims.length > 1 ? ys.size(1) : 1;
      int positions = (int) (s.elements() / k / channels);
      for (int f = 0; f < k; f++) {
        double scale = normed ? gamma[f] / Math.sqrt(variance[f] + 1e-3f) : 1;
        for (int c = 0; c < channels * positions; c++) {
          weights[f * wideChannels * positions + c] = w[f * channels * positions + c] * scale;
        }
        shifts[f] = biased ? bias[f] : 0;
        shifts[f] = normed ? (shifts[f] - mean[f]) * scale + beta[f] : shifts[f];
      }
      assertNear(weights, read(y), layer(), own + " " + kind);
      assertNear(shifts, read(shift), layer(), own + " shift " + kind);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "2, 7, 5, 3, false",
    "2, 7, 5, 3, true",
    "1, 3, 4, 5, false",
    "1, 3, 4, 5, true",
    "7, 13, 1, 1, false",
    "7, 17, 1, 1, true",
    "3, 16, 3, 4, false",
    "3, 16, 3, 4, true",
    "5, 1, 2, 3, true",
    "2, 32, 2, 5, true",
    // pixels that devices may take together
    "4, 7, 2, 2, true",
    "8, 5, 2, 2, false",
    "3, 12, 4, 1, true",
    "16, 17, 1, 2, true"
  })
  default void batchNormTraining(int n, int c, int h, int w, boolean relu) {
    float eps = 1e-3f;
    float momentum = 0.3f;
    Shape s = Shape.of(n, c, h, w);
    Values draw = values(s.hashCode());
    double[] x = draw.uniform(s.elements(), -1, 2);
    double[] gamma = draw.uniform(c, 0.5, 2);
    double[] beta = draw.uniform(c);
    while (relu && nearZero(norm(x, s, gamma, beta, eps, false))) {
      x = draw.uniform(s.elements(), -1, 2);
      beta = draw.uniform(c);
    }
    double[] input = x;
    double[] shift = beta;
    double[] g = draw.uniform(s.elements());
    double[] runningMean = draw.uniform(c);
    double[] runningVariance = draw.uniform(c, 0.5, 2);

    Tensor mean = plain(runningMean, c);
    Tensor variance = plain(runningVariance, c);
    Tensor y = activation(s);
    Tensor dx = activation(s);
    Tensor dgamma = plain(c);
    Tensor dbeta = plain(c);
    TrainingKernels k =
        device()
            .norms()
            .batchNormTraining(
                new BatchNormTraining(
                    activation(s, x),
                    plain(gamma, c),
                    plain(beta, c),
                    mean,
                    variance,
                    momentum,
                    eps,
                    relu,
                    y,
                    activation(s, g),
                    dx,
                    dgamma,
                    dbeta),
                arena());
    double[] batchMean = ReferenceLayers.mean(x, s);
    double[] unbiased = ReferenceLayers.variance(x, s);
    double count = (double) s.elements() / c;
    for (int i = 0; i < c; i++) {
      unbiased[i] *= count / (count - 1);
    }
    for (int step = 0; step < 2; step++) {
      k.forward().launch();
      runningMean = moved(runningMean, batchMean, momentum);
      runningVariance = moved(runningVariance, unbiased, momentum);
      assertNear(runningMean, read(mean), FLOAT, "running mean");
      assertNear(runningVariance, read(variance), FLOAT, "running variance");
      assertNear(norm(x, s, gamma, beta, eps, relu), read(y), layer(), "y");
    }
    double[] first = result(k.backward(), dx);
    assertNear(
        Differences.gradient(v -> norm(v, s, gamma, shift, eps, relu), x, g),
        first,
        GRADIENT + layer(),
        "dx");
    assertNear(
        Differences.gradient(v -> norm(input, s, v, shift, eps, relu), gamma, g),
        read(dgamma),
        GRADIENT,
        "dgamma");
    assertNear(
        Differences.gradient(v -> norm(input, s, gamma, v, eps, relu), beta, g),
        read(dbeta),
        GRADIENT,
        "dbeta");
    k.forward().launch();
    k.backward().launch();
    assertArrayEquals(first, read(dx), "a second step gives the same");
  }

  private static double[] norm(
      double[] x, Shape s, double[] gamma, double[] beta, double eps, boolean relu) {
    double[] mean = ReferenceLayers.mean(x, s);
    double[] variance = ReferenceLayers.variance(x, s);
    return ReferenceLayers.activation(
        relu ? Activation.RELU : Activation.NONE,
        ReferenceLayers.batchNorm(x, s, gamma, beta, mean, variance, eps));
  }

  private static boolean nearZero(double[] y) {
    return Arrays.stream(y).anyMatch(v -> Math.abs(v) < 1e-3);
  }

  private static double[] moved(double[] running, double[] batch, double momentum) {
    double[] out = new double[running.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (1 - momentum) * running[i] + momentum * batch[i];
    }
    return out;
  }
}
