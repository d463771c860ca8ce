package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertNear;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.secateur.device.Activation;
import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Operations element by element, and those that only move elements. */
interface PointwiseConformance extends Conformance {

  @ParameterizedTest
  @EnumSource
  default void activations(Activation activation) {
    for (Shape s : anyShapes()) {
      Values draw = values(s.hashCode());
      double[] x = draw.awayFromKinks(s.elements());
      double[] g = draw.uniform(s.elements());
      double[] expected = ReferenceLayers.activation(activation, x);
      double[] gradient =
          Differences.gradient(v -> ReferenceLayers.activation(activation, v), x, g);
      for (Layout layout : layouts(s)) {
        Tensor in = tensor(s, layout, x);
        Tensor y = tensor(s, layout, g);
        assertNear(
            expected, result(device().pointwise().activation(activation, in, y), y), 0, "y " + s);
        device().pointwise().activation(activation, in, in).launch();
        assertNear(expected, read(in), 0, "in place " + s);
        Tensor dy = tensor(s, layout, g);
        Tensor dx = tensor(s, layout, x);
        assertNear(
            gradient,
            result(device().pointwise().activationBackward(activation, y(y, expected), dy, dx), dx),
            GRADIENT,
            "dx " + s);
        device().pointwise().activationBackward(activation, y, dy, dy).launch();
        assertNear(gradient, read(dy), GRADIENT, "dx in place " + s);
      }
    }
  }

  /** At the kinks, where y is 0 or 6, nothing passes: as PyTorch does. */
  @Test
  default void activationGradientIsZeroAtTheKinks() {
    Tensor y = plain(new double[] {0, 6, 3, 7}, 4);
    Tensor dy = plain(new double[] {1, 2, 3, 4}, 4);
    Tensor dx = plain(4);
    device().pointwise().activationBackward(Activation.RELU, y, dy, dx).launch();
    assertArrayEquals(new double[] {0, 2, 3, 4}, read(dx));
    device().upload(new float[] {0, 6, 3, 0}, y);
    device().pointwise().activationBackward(Activation.RELU6, y, dy, dx).launch();
    assertArrayEquals(new double[] {0, 0, 3, 0}, read(dx));
  }

  @ParameterizedTest
  @EnumSource
  default void add(Activation activation) {
    for (Shape s : anyShapes()) {
      Values draw = values(s.hashCode());
      double[] a = draw.uniform(s.elements(), -2, 5);
      double[] b = draw.uniform(s.elements(), -2, 5);
      double[] sum = ReferenceLayers.activation(activation, ReferenceLayers.add(a, b));
      double[] twice = ReferenceLayers.activation(activation, ReferenceLayers.add(a, a));
      for (Layout layout : layouts(s)) {
        Tensor ta = tensor(s, layout, a);
        Tensor tb = tensor(s, layout, b);
        Tensor y = tensor(s, layout, a);
        assertNear(
            sum, result(device().pointwise().add(ta, tb, activation, y), y), layer(), "y " + s);
        assertNear(
            twice,
            result(device().pointwise().add(ta, ta, activation, y), y),
            layer(),
            "a + a " + s);
        device().pointwise().add(ta, tb, activation, ta).launch();
        assertNear(sum, read(ta), layer(), "y is a " + s);
        device().upload(device().downloadFloats(tensor(s, layout, a)), ta);
        device().pointwise().add(ta, tb, activation, tb).launch();
        assertNear(sum, read(tb), layer(), "y is b " + s);
        device().pointwise().add(ta, ta, activation, ta).launch();
        assertNear(twice, read(ta), layer(), "y is a and b " + s);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, 3 4",
    "2, 5, 3, 7 1 13",
    "3, 1, 1, 16 32",
    "1, 4, 7, 5",
    "2, 2, 9, 1 1 1 1 17"
  })
  default void concatAndSlice(int n, int h, int w, String channels) {
    List<double[]> values = new ArrayList<>();
    List<Tensor> inputs = new ArrayList<>();
    Values draw = values(h);
    int total = 0;
    for (String c : channels.split(" ")) {
      Shape s = Shape.of(n, Integer.parseInt(c), h, w);
      values.add(draw.uniform(s.elements()));
      inputs.add(activation(s, values.get(values.size() - 1)));
      total += s.size(1);
    }
    Shape ys = Shape.of(n, total, h, w);
    Tensor y = activation(ys);
    double[] expected = ReferenceLayers.concat(values, ys);
    assertNear(expected, result(device().moves().concat(inputs, all(inputs), y), y), 0, "y");
    int from = 0;
    for (int i = 0; i < inputs.size(); i++) {
      Shape s = inputs.get(i).shape();
      assertNear(
          values.get(i), ReferenceLayers.slice(expected, ys, from, s.size(1)), 0, "references");
      Tensor part = activation(s);
      assertNear(
          values.get(i),
          result(device().moves().sliceChannels(y, from, s.dim(1), part), part),
          0,
          "slice " + i);
      // the slice is the backward of the concatenation
      int which = i;
      double[] g = draw.uniform(ys.elements());
      Tensor dx = activation(s);
      assertNear(
          Differences.gradient(
              v -> {
                List<double[]> moved = new ArrayList<>(values);
                moved.set(which, v);
                return ReferenceLayers.concat(moved, ys);
              },
              values.get(i),
              g),
          result(device().moves().sliceChannels(activation(ys, g), from, s.dim(1), dx), dx),
          GRADIENT,
          "dx " + i);
      from += s.size(1);
    }
  }

  private static List<Long> all(List<Tensor> inputs) {
    return inputs.stream().map(x -> x.shape().dim(1)).toList();
  }

  /** Tensors that have more channels than count, as networks compiled to wider ones have. */
  @ParameterizedTest
  @CsvSource({"2, 3, 5, 8, 4, 8, 16", "1, 1, 1, 5, 8, 8, 24", "3, 7, 2, 16, 7, 7, 25"})
  default void firstChannels(int n, int h, int w, int a, int b, int wide, int out) {
    int first = 5;
    int second = 6;
    int more = Math.max(a, wide);
    Shape as = Shape.of(n, more, h, w);
    Shape bs = Shape.of(n, Math.max(b, second), h, w);
    Shape ys = Shape.of(n, out, h, w);
    Values draw = values(out);
    double[] av = draw.uniform(as.elements());
    double[] bv = draw.uniform(bs.elements());
    double[] own =
        ReferenceLayers.concat(
            List.of(
                ReferenceLayers.slice(av, as, 0, first), ReferenceLayers.slice(bv, bs, 0, second)),
            ys.with(1, first + second));
    double[] expected = ReferenceLayers.shortcut(own, ys.with(1, first + second), 1, 0, ys);
    Tensor at = activation(as, av);
    Tensor bt = activation(bs, bv);
    Tensor y = activation(ys);
    assertNear(
        expected,
        result(
            device().moves().concat(List.of(at, bt), List.of((long) first, (long) second), y), y),
        0,
        "concat");
    assertNear(
        ReferenceLayers.shortcut(ReferenceLayers.slice(av, as, 2, 3), ys.with(1, 3), 1, 0, ys),
        result(device().moves().sliceChannels(at, 2, 3, y), y),
        0,
        "slice");
    Shape half = ys.with(2, (h + 1) / 2).with(3, (w + 1) / 2);
    Tensor z = activation(half);
    Shape fewer = as.with(1, first);
    assertNear(
        ReferenceLayers.shortcut(ReferenceLayers.slice(av, as, 0, first), fewer, 2, 3, half),
        result(device().moves().shortcut(at, 2, 3, first, z), z),
        0,
        "shortcut");
    double[] g = draw.uniform(half.elements());
    double[] gradient =
        Differences.gradient(
            v -> ReferenceLayers.shortcut(v, fewer, 2, 3, half),
            new double[(int) fewer.elements()],
            g);
    Tensor dx = activation(as);
    assertNear(
        ReferenceLayers.shortcut(gradient, fewer, 1, 0, as),
        result(device().moves().shortcutBackward(activation(half, g), 2, 3, first, dx), dx),
        GRADIENT,
        "shortcut, backward");
    Tensor features = plain(n, first + 1);
    device().reductions().poolFeatures(PoolSpec.Kind.MAX, at, first, features, 1).launch();
    double[] pooled = ReferenceMath.poolFeatures(PoolSpec.Kind.MAX, av, as);
    double[] got = read(features);
    for (int i = 0; i < got.length; i++) {
      int column = i % (first + 1) - 1;
      double wanted = column < 0 ? GARBAGE : pooled[i / (first + 1) * more + column];
      assertEquals(wanted, got[i], FLOAT, "feature " + i);
    }
  }

  /** A slice that begins and ends inside its input. */
  @Test
  default void sliceFromTheMiddle() {
    Shape s = Shape.of(2, 17, 3, 5);
    double[] x = values(1).uniform(s.elements());
    Tensor y = activation(s.with(1, 7));
    assertNear(
        ReferenceLayers.slice(x, s, 3, 7),
        result(device().moves().sliceChannels(activation(s, x), 3, 7, y), y),
        0,
        "y");
  }

  @ParameterizedTest
  @CsvSource({
    "2, 16, 8, 8, 2, 8, 32",
    "2, 3, 7, 5, 2, 1, 7",
    "1, 7, 6, 9, 2, 0, 13",
    "1, 13, 5, 5, 1, 4, 17",
    "3, 5, 4, 4, 1, 0, 5",
    "2, 5, 9, 7, 2, 0, 5",
    "2, 3, 10, 8, 3, 4, 7",
    "1, 3, 1, 1, 2, 0, 16",
    "1, 1, 1, 6, 2, 1, 3",
    "2, 4, 6, 1, 4, 12, 16"
  })
  default void shortcut(int n, int c, int h, int w, int stride, int before, int outChannels) {
    Shape xs = Shape.of(n, c, h, w);
    Shape ys = Shape.of(n, outChannels, (h + stride - 1) / stride, (w + stride - 1) / stride);
    Values draw = values(xs.hashCode());
    double[] x = draw.uniform(xs.elements());
    double[] g = draw.uniform(ys.elements());
    Tensor y = activation(ys);
    Tensor dx = activation(xs);
    assertNear(
        ReferenceLayers.shortcut(x, xs, stride, before, ys),
        result(device().moves().shortcut(activation(xs, x), stride, before, c, y), y),
        0,
        "y");
    assertNear(
        Differences.gradient(v -> ReferenceLayers.shortcut(v, xs, stride, before, ys), x, g),
        result(device().moves().shortcutBackward(activation(ys, g), stride, before, c, dx), dx),
        GRADIENT,
        "dx");
  }

  @Test
  default void copyConvertsLayoutAndType() {
    Layout layout = device().activationLayout();
    for (Shape s :
        new Shape[] {Shape.of(2, 7, 3, 5), Shape.of(1, 1, 4, 3), Shape.of(3, 17, 1, 1)}) {
      double[] x = values(1).uniform(s.elements());
      byte[] pixels = values(2).bytes(s.elements());
      double[] fromPixels = new double[pixels.length];
      for (int i = 0; i < pixels.length; i++) {
        fromPixels[i] = pixels[i] & 255;
      }
      Tensor u8 = bytes(pixels, s);
      for (Layout from : new Layout[] {Layout.PLAIN, layout}) {
        for (Layout to : new Layout[] {Layout.PLAIN, layout}) {
          Tensor f32 = tensor(s, from, x);
          Tensor f64 = arena().allocate(s, DType.F64, to);
          String what = s + ", " + from + " to " + to;
          assertNear(x, result(device().moves().copy(f32, f64), f64), 0, "F32 to F64 " + what);
          Tensor back = arena().allocate(s, DType.F32, from);
          assertNear(x, result(device().moves().copy(f64, back), back), 0, "F64 to F32 " + what);
          Tensor same = arena().allocate(s, DType.F32, to);
          assertNear(x, result(device().moves().copy(f32, same), same), 0, "F32 " + what);
          Tensor f64Again = arena().allocate(s, DType.F64, from);
          assertNear(x, result(device().moves().copy(f64, f64Again), f64Again), 0, "F64 " + what);
        }
        Tensor f32 = arena().allocate(s, DType.F32, from);
        assertNear(fromPixels, result(device().moves().copy(u8, f32), f32), 0, "U8 to F32 " + from);
        Tensor f64 = arena().allocate(s, DType.F64, from);
        assertNear(fromPixels, result(device().moves().copy(u8, f64), f64), 0, "U8 to F64 " + from);
      }
    }
    double[] fine = {1.0 / 3, 1e-50, -2.0 / 7};
    Tensor rounded = plain(3);
    device().moves().copy(doubles(fine, 3), rounded).launch();
    assertArrayEquals(new double[] {(float) fine[0], 0, (float) fine[2]}, read(rounded));
    float[] down = device().downloadFloats(doubles(fine, 3));
    assertArrayEquals(new float[] {(float) fine[0], 0, (float) fine[2]}, down);
    assertArrayEquals(fine, read(doubles(fine, 3)));
  }

  @Test
  default void fill() {
    for (Tensor t :
        List.of(
            activation(Shape.of(2, 3, 5, 7)),
            plain(1),
            plain(3, 4999),
            doubles(1),
            doubles(5, 2003))) {
      for (double value : new double[] {0, -1.5}) {
        device().moves().fill(t, value).launch();
        double[] expected = new double[(int) t.elements()];
        Arrays.fill(expected, value);
        assertArrayEquals(expected, read(t), t.toString());
      }
    }
  }

  private static Shape[] anyShapes() {
    return new Shape[] {
      Shape.of(1),
      Shape.of(4099),
      Shape.of(7, 13),
      Shape.of(3, 5, 2),
      Shape.of(1, 1, 1, 1),
      Shape.of(2, 7, 3, 5),
      Shape.of(1, 16, 4, 4)
    };
  }

  private Layout[] layouts(Shape s) {
    return s.rank() == 4
        ? new Layout[] {Layout.PLAIN, device().activationLayout()}
        : new Layout[] {Layout.PLAIN};
  }

  private Tensor tensor(Shape s, Layout layout, double[] values) {
    return layout == Layout.PLAIN ? plain(values, s.toArray()) : activation(s, values);
  }

  /** Fills y anew. */
  private Tensor y(Tensor y, double[] values) {
    device().moves().copy(tensor(y.shape(), y.layout(), values), y).launch();
    return y;
  }
}
