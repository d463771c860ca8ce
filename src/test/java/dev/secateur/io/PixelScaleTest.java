package dev.secateur.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.secateur.io.onnx.Outputs;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.Input;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a network gets to see of the pixels 10, 100 and 200 (red, green, blue). */
class PixelScaleTest {
  private static final byte[] PIXELS = {10, 100, (byte) 200};

  private static float[] seen(PixelScale scale) {
    Graph graph =
        new Graph(
            List.of(
                new Node("input", new Input(3, 1, 1), List.of()),
                new Node("flat", new Flatten(), List.of("input"))));
    Model unit =
        new Model(
            graph,
            Map.of(
                "input.mean", new HostTensor(Shape.of(3), new float[3]),
                "input.std", new HostTensor(Shape.of(3), new float[] {255, 255, 255})),
            Map.of());
    return Outputs.ours(scale.of(unit), PIXELS, 1);
  }

  @Test
  void asKerasApplicationsHaveIt() {
    float[] unit = {10 / 255f, 100 / 255f, 200 / 255f};
    assertArrayEquals(unit, seen(PixelScale.UNIT), 1e-5f);
    assertArrayEquals(new float[] {10, 100, 200}, seen(PixelScale.Named.RAW.scale()), 1e-3f);
    float[] tf = {10 / 127.5f - 1, 100 / 127.5f - 1, 200 / 127.5f - 1};
    assertArrayEquals(tf, seen(PixelScale.Named.TF.scale()), 1e-5f);
    // keras.applications.imagenet_utils: RGB to BGR, minus 103.939, 116.779, 123.68
    float[] caffe = {200 - 103.939f, 100 - 116.779f, 10 - 123.68f};
    assertArrayEquals(caffe, seen(PixelScale.Named.CAFFE.scale()), 1e-3f);
  }

  @Test
  void ofMeanAndDeviation() {
    PixelScale each = new PixelScale(List.of(0.1f, 0.2f, 0.3f), List.of(0.5f), false);
    float[] expected = {(10 / 255f - 0.1f) * 2, (100 / 255f - 0.2f) * 2, (200 / 255f - 0.3f) * 2};
    assertArrayEquals(expected, seen(each), 1e-5f);
    assertThrows(
        IllegalArgumentException.class,
        () -> seen(new PixelScale(List.of(1f, 2f), List.of(), false)));
  }
}
