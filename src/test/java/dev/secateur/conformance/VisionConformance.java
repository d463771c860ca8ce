package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertNear;
import static dev.secateur.conformance.Conformance.assertRefused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.LayerNormTraining;
import dev.secateur.device.ResizeSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Layers beyond plain chains of convolutions, and their gradients. */
interface VisionConformance extends Conformance {

  /** A matrix, or an activation in the device's layout. */
  private Tensor tensor(Shape s, double[] values) {
    return s.rank() == 4 ? activation(s, values) : typed(values, s.toArray());
  }

  private Tensor tensor(Shape s) {
    return s.rank() == 4 ? activation(s) : typed(s.toArray());
  }

  // ---- element by element ----------------------------------------------------------------------

  @ParameterizedTest
  @MethodSource("functions")
  default void elementwise(ElementwiseSpec spec) {
    for (Shape s :
        List.of(
            Shape.of(17),
            Shape.of(4099),
            Shape.of(7, 13),
            Shape.of(2, 7, 3, 5),
            Shape.of(1, 16, 4, 4))) {
      Values draw = values(s.hashCode());
      double[] x = awayFrom(kinks(spec), draw, (int) s.elements());
      if (spec.kind() == ElementwiseSpec.Kind.POWER) {
        x = Arrays.stream(x).map(v -> 0.5 + Math.abs(v)).toArray();
      }
      double[] g = draw.uniform(s.elements());
      double[] expected = ReferenceVision.elementwise(spec, x);
      double[] gradient = Differences.gradient(v -> ReferenceVision.elementwise(spec, v), x, g);
      Tensor in = tensor(s, x);
      Tensor y = tensor(s);
      Tensor dy = tensor(s, g);
      Tensor dx = tensor(s);
      assertNear(
          expected, result(device().pointwise().elementwise(spec, in, y), y), layer(), "y " + s);
      assertNear(
          gradient,
          result(device().pointwise().elementwiseBackward(spec, in, dy, dx), dx),
          GRADIENT + layer(),
          "dx " + s);
      device().pointwise().elementwiseBackward(spec, in, dy, dy).launch();
      assertNear(gradient, read(dy), GRADIENT + layer(), "dx in place " + s);
      device().pointwise().elementwise(spec, in, in).launch();
      assertNear(expected, read(in), layer(), "in place " + s);
    }
  }

  /** Far from zero nothing overflows. */
  @ParameterizedTest
  @MethodSource("functions")
  default void elementwiseFarOut(ElementwiseSpec spec) {
    boolean power = spec.kind() == ElementwiseSpec.Kind.POWER;
    double[] x =
        power
            ? new double[] {0.1, 1, 10, 200}
            : new double[] {-200, -90, -30, -10, 10, 30, 90, 200};
    Tensor y = typed(x.length);
    device().pointwise().elementwise(spec, typed(x, x.length), y).launch();
    assertNear(ReferenceVision.elementwise(spec, x), read(y), layer(), "y");
    double[] ones = new double[x.length];
    Arrays.fill(ones, 1);
    device()
        .pointwise()
        .elementwiseBackward(spec, typed(x, x.length), typed(ones, x.length), y)
        .launch();
    double[] slopes = Differences.gradient(v -> ReferenceVision.elementwise(spec, v), x, ones);
    double[] got = read(y);
    for (int i = 0; i < x.length; i++) {
      assertNear(
          new double[] {1 + slopes[i]},
          new double[] {1 + got[i]},
          GRADIENT + layer(),
          "slope at " + x[i]);
    }
  }

  static List<ElementwiseSpec> functions() {
    List<ElementwiseSpec> out = new ArrayList<>();
    for (ElementwiseSpec.Kind k : ElementwiseSpec.Kind.values()) {
      switch (k) {
        case LEAKY_RELU, ELU -> {
          out.add(new ElementwiseSpec(k, 0.1f, 0));
          out.add(new ElementwiseSpec(k, 1.7f, 0));
        }
        case CLIP -> {
          out.add(new ElementwiseSpec(k, -1, 2.5f));
          out.add(new ElementwiseSpec(k, 0.5f, Float.MAX_VALUE));
        }
        case HARD_SIGMOID -> {
          out.add(new ElementwiseSpec(k, 0.2f, 0.5f));
          out.add(new ElementwiseSpec(k, 1f / 6, 0.5f));
        }
        case POWER -> {
          out.add(new ElementwiseSpec(k, -0.75f, 0));
          out.add(new ElementwiseSpec(k, 0.5f, 0));
        }
        default -> out.add(ElementwiseSpec.of(k));
      }
    }
    return out;
  }

  private static double[] kinks(ElementwiseSpec s) {
    return switch (s.kind()) {
      case LEAKY_RELU, ELU -> new double[] {0};
      case CLIP -> new double[] {s.alpha(), s.beta()};
      case HARD_SIGMOID -> new double[] {-s.beta() / s.alpha(), (1 - s.beta()) / s.alpha()};
      case HARD_SWISH -> new double[] {-3, 3};
      default -> new double[0];
    };
  }

  private static double[] awayFrom(double[] kinks, Values draw, int n) {
    double[] out = draw.uniform(n, -6, 6);
    for (int i = 0; i < n; i++) {
      while (near(out[i], kinks)) {
        out[i] = draw.uniform(1, -6, 6)[0];
      }
    }
    return out;
  }

  private static boolean near(double x, double[] kinks) {
    return Arrays.stream(kinks).anyMatch(k -> Math.abs(x - k) < 0.05);
  }

  // ---- over channels ---------------------------------------------------------------------------

  @ParameterizedTest
  @MethodSource("rowShapes")
  default void softmaxOverChannels(Shape s) {
    Values draw = values(s.hashCode());
    double[] x = draw.uniform(s.elements(), 80, 95);
    double[] g = draw.uniform(s.elements());
    double[] expected = ReferenceVision.softmax(x, s);
    Tensor y = tensor(s);
    Tensor dx = tensor(s);
    assertNear(expected, result(device().norms().softmax(tensor(s, x), y), y), layer(), "y");
    Tensor rounded = tensor(s, expected);
    double[] got = result(device().norms().softmaxBackward(rounded, tensor(s, g), dx), dx);
    if (s.dim(1) > 1) { // else 0, which has no relative error
      double[] gradient = ReferenceVision.softmaxBackward(read(rounded), g, s);
      assertNear(gradient, got, layer(), "dx");
      if (device().activationType() == DType.F32) { // else y is too coarse
        gradient = Differences.gradient(v -> ReferenceVision.softmax(v, s), x, g);
        assertNear(gradient, got, GRADIENT, "dx");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("rowShapes")
  default void layerNormAndItsGradients(Shape s) {
    int c = s.size(1);
    float eps = 1e-2f;
    Values draw = values(s.hashCode());
    double[] x = draw.uniform(s.elements(), -1, 3);
    double[] gamma = draw.uniform(c, 0.5, 2);
    double[] beta = draw.uniform(c);
    double[] g = draw.uniform(s.elements());
    double[] expected = ReferenceVision.layerNorm(x, s, gamma, beta, eps);
    Tensor in = tensor(s, x);
    Tensor scale = plain(gamma, c);
    Tensor shift = plain(beta, c);
    Tensor y = tensor(s);
    assertNear(
        expected, result(device().norms().layerNorm(in, scale, shift, eps, y), y), layer(), "y");
    Tensor dx = tensor(s);
    Tensor dgamma = plain(c);
    Tensor dbeta = plain(c);
    TrainingKernels k =
        device()
            .norms()
            .layerNormTraining(
                new LayerNormTraining(in, scale, shift, eps, y, tensor(s, g), dx, dgamma, dbeta),
                arena());
    assertNear(expected, result(k.forward(), y), layer(), "training");
    double[] byX = result(k.backward(), dx);
    double[] byGamma = read(dgamma);
    if (c > 1) { // else 0, which has no relative error
      assertNear(
          Differences.gradient(v -> ReferenceVision.layerNorm(v, s, gamma, beta, eps), x, g),
          byX,
          GRADIENT + layer(),
          "dx");
      assertNear(
          Differences.gradient(v -> ReferenceVision.layerNorm(x, s, v, beta, eps), gamma, g),
          byGamma,
          GRADIENT,
          "dgamma");
    }
    assertNear(
        Differences.gradient(v -> ReferenceVision.layerNorm(x, s, gamma, v, eps), beta, g),
        read(dbeta),
        GRADIENT,
        "dbeta");
  }

  static List<Shape> rowShapes() {
    return List.of(
        Shape.of(1, 1),
        Shape.of(3, 17),
        Shape.of(5, 64),
        Shape.of(2, 301),
        Shape.of(1, 1, 2, 2),
        Shape.of(2, 7, 5, 3),
        Shape.of(3, 13, 1, 1),
        Shape.of(1, 32, 6, 7),
        Shape.of(2, 5, 9, 11));
  }

  // ---- products --------------------------------------------------------------------------------

  @Test
  default void multiplyAlike() {
    for (Shape s :
        List.of(
            Shape.of(1, 1),
            Shape.of(7, 13),
            Shape.of(2, 7, 3, 5),
            Shape.of(1, 16, 9, 4),
            Shape.of(3, 4, 1, 1))) {
      Values draw = values(s.hashCode());
      double[] a = draw.uniform(s.elements());
      double[] b = draw.uniform(s.elements());
      Tensor ta = tensor(s, a);
      Tensor tb = tensor(s, b);
      Tensor y = tensor(s);
      double[] expected = ReferenceVision.multiply(a, b);
      assertNear(expected, result(device().pointwise().multiply(ta, tb, y), y), layer(), "y " + s);
      double[] square = ReferenceVision.multiply(a, a);
      assertNear(square, result(device().pointwise().multiply(ta, ta, y), y), layer(), "a a " + s);
      device().pointwise().multiply(ta, tb, ta).launch();
      assertNear(expected, read(ta), layer(), "in place " + s);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, 2",
    "2, 7, 5, 3",
    "3, 16, 4, 4",
    "1, 130, 9, 8",
    "2, 3, 41, 37",
    "1, 2100, 1, 3",
    "2, 5, 1, 1"
  })
  default void multiplyByAFactorAChannel(int n, int c, int h, int w) {
    Shape s = Shape.of(n, c, h, w);
    Shape fs = Shape.of(n, c, 1, 1);
    Values draw = values(s.hashCode());
    double[] x = draw.uniform(s.elements());
    double[] f = draw.uniform(fs.elements());
    double[] g = draw.uniform(s.elements());
    double[] expected = ReferenceVision.multiply(x, f);
    Tensor tx = activation(s, x);
    Tensor tf = activation(fs, f);
    Tensor dy = activation(s, g);
    Tensor y = activation(s);
    assertNear(expected, result(device().pointwise().multiply(tx, tf, y), y), layer(), "y");
    if (x.length < 1000) {
      assertNear(
          Differences.gradient(v -> ReferenceVision.multiply(v, f), x, g),
          result(device().pointwise().multiply(dy, tf, y), y),
          GRADIENT + layer(),
          "dx");
    }
    double[] sums = new double[f.length];
    for (int i = 0; i < x.length; i++) {
      sums[i / (h * w)] += x[i] * g[i];
    }
    Tensor df = activation(fs);
    double[] byFactor = result(device().reductions().channelProducts(tx, dy, df), df);
    assertNear(sums, byFactor, layer(), "sums");
    if (x.length < 1000) {
      double[] differences = Differences.gradient(v -> ReferenceVision.multiply(x, v), f, g);
      assertNear(differences, byFactor, GRADIENT + layer(), "df");
    }
    device().pointwise().multiply(tx, tf, tx).launch();
    assertNear(expected, read(tx), layer(), "in place");
  }

  @ParameterizedTest
  @EnumSource
  default void addBias(Activation activation) {
    for (Shape s : List.of(Shape.of(2, 7, 5, 3), Shape.of(1, 1, 1, 1), Shape.of(2, 32, 3, 4))) {
      Values draw = values(s.hashCode());
      double[] x = draw.uniform(s.elements(), -2, 5);
      double[] b = draw.uniform(s.dim(1), -2, 5);
      Tensor y = activation(s, x);
      device().pointwise().addBias(typed(b, b.length), activation, y).launch();
      double[] expected =
          ReferenceLayers.epilogue(x, s, Optional.of(b), Optional.empty(), activation);
      assertNear(expected, read(y), layer(), s.toString());
    }
  }

  // ---- moves -----------------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource({
    "2, 7, 5, 3, 6 0 0 3 -1 2",
    "1, 1, 1, 1, 0",
    "1, 1, 4, 3, 0 0 0",
    "3, 16, 4, 4, 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0",
    "2, 5, 19, 31, 4 2 0",
    "2, 5, 1, 1, 7 4 2",
    "7, 13, 0, 0, 12 3 3 -1 0 5"
  })
  default void selectChannels(int n, int c, int h, int w, String list) {
    Shape s = h == 0 ? Shape.of(n, c) : Shape.of(n, c, h, w);
    List<Integer> chosen = Arrays.stream(list.split(" ")).map(Integer::valueOf).toList();
    int[] indices = chosen.stream().mapToInt(i -> i).toArray();
    double[] x = values(s.hashCode()).uniform(s.elements());
    Tensor y = tensor(s.with(1, indices.length));
    Tensor table = ints(new int[indices.length], indices.length);
    Kernel k = device().moves().selectChannels(tensor(s, x), table, y);
    device().upload(indices, table);
    assertArrayEquals(ReferenceVision.selectChannels(x, s, chosen), result(k, y), "y");
  }

  /** Pairs blended and cut, boxes erased, an image that stays. */
  @ParameterizedTest
  @CsvSource({"4, 3, 6, 5", "5, 1, 8, 8", "4, 16, 4, 7"})
  default void mixImages(int n, int c, int h, int w) {
    Shape s = Shape.of(n, c, h, w);
    Values draw = values(s.hashCode());
    double[] x = draw.uniform(s.elements());
    double[] blends = draw.uniform(n, 0, 1);
    blends[0] = 1;
    blends[1] = 1;
    int[] plan = new int[9 * n];
    for (int i = 0; i < n; i++) {
      plan[9 * i] = (i + 1) % n;
      if (i % 3 != 0) { // a box of the partner
        System.arraycopy(new int[] {1, 0, h - 1, w - 2}, 0, plan, 9 * i + 1, 4);
      }
      if (i % 2 == 1) { // an erased one
        System.arraycopy(new int[] {2, 1, h, w - 1}, 0, plan, 9 * i + 5, 4);
      }
    }
    double[] expected = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int image = i / (c * h * w);
      int row = i / w % h;
      int column = i % w;
      int partner = plan[9 * image];
      int from = i + (partner - image) * c * h * w;
      double own = inside(plan, 9 * image + 5, row, column) ? 0 : x[i];
      double other = inside(plan, 9 * partner + 5, row, column) ? 0 : x[from];
      double blend = inside(plan, 9 * image + 1, row, column) ? 0 : blends[image];
      expected[i] = blend * own + (1 - blend) * other;
    }
    Tensor y = activation(s);
    Kernel kernel =
        device().moves().mixImages(activation(s, x), ints(plan, n, 9), plain(blends, n), y);
    assertNear(expected, result(kernel, y), layer(), "y");
  }

  private static boolean inside(int[] plan, int at, int row, int column) {
    return row >= plan[at] && column >= plan[at + 1] && row < plan[at + 2] && column < plan[at + 3];
  }

  @ParameterizedTest
  @CsvSource({
    "2, 7, 5, 3, 1, 2, 0, 3, 0",
    "1, 3, 4, 4, -1, -1, -2, 0, 0",
    "2, 16, 6, 5, 2, -1, -3, 4, 0.5",
    "1, 1, 1, 1, 3, 0, 0, 3, -7",
    "1, 5, 3, 3, 0, 0, 0, 0, 1",
    "2, 3, 4, 4, 7, -5, -3, 6, 2"
  })
  default void pad(
      int n, int c, int h, int w, int top, int left, int bottom, int right, float value) {
    Shape xs = Shape.of(n, c, h, w);
    Shape ys = Shape.of(n, c, h + top + bottom, w + left + right);
    Values draw = values(xs.hashCode());
    double[] x = draw.uniform(xs.elements());
    double[] g = draw.uniform(ys.elements());
    Tensor y = activation(ys);
    assertArrayEquals(
        ReferenceVision.pad(x, xs, top, left, value, ys),
        result(device().moves().pad(activation(xs, x), top, left, value, y), y),
        "y");
    Tensor dx = activation(xs);
    assertNear(
        Differences.gradient(v -> ReferenceVision.pad(v, xs, top, left, value, ys), x, g),
        result(device().moves().pad(activation(ys, g), -top, -left, 0, dx), dx),
        GRADIENT + layer(),
        "dx");
  }

  @ParameterizedTest
  @CsvSource({
    "2, 7, 4, 3, 8, 6",
    "1, 3, 5, 7, 3, 4",
    "1, 1, 1, 1, 3, 2",
    "2, 5, 6, 4, 1, 1",
    "1, 16, 3, 5, 7, 5",
    "1, 2, 6, 6, 3, 18",
    "2, 3, 9, 10, 4, 3",
    "1, 4, 5, 5, 5, 5"
  })
  default void resizeAndItsGradient(int n, int c, int h, int w, int outH, int outW) {
    Shape xs = Shape.of(n, c, h, w);
    Shape ys = Shape.of(n, c, outH, outW);
    Values draw = values(xs.hashCode());
    double[] x = draw.uniform(xs.elements());
    double[] g = draw.uniform(ys.elements());
    for (ResizeSpec.Mode mode : ResizeSpec.Mode.values()) {
      for (ResizeSpec.Coordinates coordinates : ResizeSpec.Coordinates.values()) {
        ResizeSpec spec = new ResizeSpec(outH, outW, mode, coordinates);
        Tensor y = activation(ys);
        Tensor dx = activation(xs);
        assertNear(
            ReferenceVision.resize(spec, x, xs),
            result(device().moves().resize(spec, activation(xs, x), y), y),
            layer(),
            "y " + spec);
        assertNear(
            Differences.gradient(v -> ReferenceVision.resize(spec, v, xs), x, g),
            result(device().moves().resizeBackward(spec, activation(ys, g), dx), dx),
            GRADIENT + layer(),
            "dx " + spec);
      }
    }
  }

  // ---- transposed convolution: the convolutions' gradients, read the other way -----------------

  @ParameterizedTest
  @CsvSource({
    "2, 6, 4, 5, 4, 3, 3, 2, 2, 1, 1, 1, 1",
    "1, 4, 5, 4, 6, 2, 2, 2, 0, 0, 1, 1, 0",
    "2, 3, 3, 3, 5, 4, 2, 3, 1, 2, 1, 1, 2",
    "1, 8, 4, 4, 8, 3, 1, 1, 1, 0, 8, 2, 0",
    "1, 1, 1, 1, 3, 5, 5, 1, 0, 0, 1, 1, 0"
  })
  default void transposedConvolution(
      int n,
      int c,
      int h,
      int w,
      int k,
      int r,
      int s,
      int stride,
      int pad,
      int more,
      int groups,
      int dilation,
      int extra) {
    ConvolutionSpec spec =
        new ConvolutionSpec(stride, stride, pad, pad, pad, pad + more, dilation, dilation, groups);
    Shape xs = Shape.of(n, c, h, w);
    Shape ws = Shape.of(c, k / groups, r, s);
    Shape ys =
        Shape.of(
            n,
            k,
            (h - 1) * stride + dilation * (r - 1) + 1 + Math.min(extra, stride - 1) - 2 * pad,
            (w - 1) * stride
                + dilation * (s - 1)
                + 1
                + Math.min(extra, stride - 1)
                - 2 * pad
                - more);
    Values draw = values(xs.hashCode());
    double[] x = draw.uniform(xs.elements());
    double[] weights = draw.uniform(ws.elements());
    double[] g = draw.uniform(ys.elements());
    Tensor y = activation(ys);
    Tensor tw = filters(weights, ws);
    assertNear(
        ReferenceVision.transposedConvolution(spec, x, xs, weights, ws, ys),
        result(device().convolutions().backwardData(spec, activation(xs, x), tw, y), y),
        product(),
        "y");
    Tensor dy = activation(ys, g);
    Tensor dx = activation(xs);
    Kernel data = device().convolutions().forward(spec, dy, tw, Epilogue.NONE, dx, false);
    assertNear(
        Differences.gradient(
            v -> ReferenceVision.transposedConvolution(spec, v, xs, weights, ws, ys), x, g),
        result(data, dx),
        GRADIENT + product(),
        "dx");
    Tensor dw = filters(ws);
    assertNear(
        Differences.gradient(
            v -> ReferenceVision.transposedConvolution(spec, x, xs, v, ws, ys), weights, g),
        result(device().convolutions().backwardWeights(spec, dy, activation(xs, x), dw), dw),
        GRADIENT + product(),
        "dw");
  }

  // ---- refusals --------------------------------------------------------------------------------

  @Test
  default void visionShapesThatDoNotFitAreRefused() {
    Device v = device();
    Shape s = Shape.of(2, 3, 4, 4);
    Tensor x = activation(s);
    Tensor y = activation(s);
    Tensor turned = activation(Shape.of(2, 4, 3, 4));
    ElementwiseSpec tanh = ElementwiseSpec.of(ElementwiseSpec.Kind.TANH);
    assertRefused("function", () -> v.pointwise().elementwise(tanh, x, turned));
    assertRefused(
        "function's gradient", () -> v.pointwise().elementwiseBackward(tanh, x, turned, y));
    assertRefused("type", () -> v.pointwise().elementwise(tanh, doubles(3), plain(3)));
    assertRefused(
        "double precision", () -> v.pointwise().elementwise(tanh, doubles(3), doubles(3)));
    assertRefused("softmax", () -> v.norms().softmax(x, turned));
    assertRefused("softmax's gradient", () -> v.norms().softmaxBackward(x, y, turned));
    assertRefused("softmax of a vector", () -> v.norms().softmax(typed(3), typed(3)));
    Tensor c = plain(3);
    assertRefused("gamma", () -> v.norms().layerNorm(x, plain(4), c, 1, y));
    assertRefused("beta", () -> v.norms().layerNorm(x, c, plain(4), 1, y));
    assertRefused("norm", () -> v.norms().layerNorm(x, c, c, 1, turned));
    Tensor dx = activation(s);
    assertRefused(
        "dgamma",
        () ->
            v.norms()
                .layerNormTraining(
                    new LayerNormTraining(x, c, c, 1, y, x, dx, plain(1), plain(3)), arena()));
    assertRefused(
        "dx",
        () ->
            v.norms()
                .layerNormTraining(
                    new LayerNormTraining(x, c, c, 1, y, x, turned, plain(3), plain(3)), arena()));
    assertRefused("factor", () -> v.pointwise().multiply(x, activation(Shape.of(2, 4, 1, 1)), y));
    assertRefused(
        "a factor for all", () -> v.pointwise().multiply(x, activation(Shape.of(1, 3, 1, 1)), y));
    assertRefused("product", () -> v.pointwise().multiply(x, x, turned));
    assertRefused(
        "sums", () -> v.reductions().channelProducts(x, x, activation(Shape.of(2, 3, 4, 1))));
    assertRefused(
        "summands", () -> v.reductions().channelProducts(x, turned, activation(s.with(2, 1))));
    Tensor two = ints(new int[2], 2);
    assertRefused("choice", () -> v.moves().selectChannels(x, two, y));
    assertRefused("list", () -> v.moves().selectChannels(x, plain(2), activation(s.with(1, 2))));
    assertRefused("matrix", () -> v.moves().selectChannels(x, two, typed(2, 2)));
    assertRefused("pad", () -> v.moves().pad(x, 0, 0, 0, turned));
    assertRefused("pad of a matrix", () -> v.moves().pad(typed(2, 3), 0, 0, 0, typed(2, 3)));
    ResizeSpec large =
        new ResizeSpec(8, 7, ResizeSpec.Mode.BILINEAR, ResizeSpec.Coordinates.HALF_PIXEL);
    assertRefused("size", () -> v.moves().resize(large, x, activation(Shape.of(2, 3, 7, 8))));
    assertRefused("channels", () -> v.moves().resize(large, x, activation(Shape.of(2, 4, 8, 7))));
    assertRefused("gradient", () -> v.moves().resizeBackward(large, x, activation(s)));
    assertRefused("bias", () -> v.pointwise().addBias(typed(4), Activation.NONE, y));
    if (device().activationType() != DType.F32) {
      Tensor single = arena().allocate(s, DType.F32, device().activationLayout());
      Tensor factor =
          arena().allocate(Shape.of(2, 3, 1, 1), DType.F32, device().activationLayout());
      assertRefused("types", () -> v.pointwise().multiply(x, single, y));
      assertRefused("type of a factor", () -> v.pointwise().multiply(x, factor, y));
      assertRefused("types of pad", () -> v.moves().pad(x, 0, 0, 0, single));
      assertRefused("types of softmax", () -> v.norms().softmax(single, y));
    }
    if (device().activationLayout() != Layout.PLAIN) {
      assertRefused("layouts", () -> v.pointwise().multiply(x, typed(s.toArray()), y));
      assertRefused("layouts of softmax", () -> v.norms().softmax(x, typed(s.toArray())));
      assertRefused("layouts of pad", () -> v.moves().pad(x, 0, 0, 0, typed(s.toArray())));
    }
  }
}
