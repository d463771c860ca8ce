package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertRefused;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Layers refuse tensors whose shapes do not fit when they are compiled, not when launched. */
interface ArgumentConformance extends Conformance {

  @Test
  default void convolutionsThatDoNotFitAreRefused() {
    Device d = device();
    ConvolutionSpec spec = ConvolutionSpec.of(1, 1);
    Tensor x = activation(Shape.of(2, 6, 5, 5));
    Tensor w = filters(Shape.of(4, 6, 3, 3));
    Tensor y = activation(Shape.of(2, 4, 5, 5));
    Epilogue none = Epilogue.NONE;
    assertRefused(
        "channels", () -> d.convolution(spec, x, filters(Shape.of(4, 5, 3, 3)), none, y, false));
    assertRefused(
        "filters", () -> d.convolution(spec, x, filters(Shape.of(5, 6, 3, 3)), none, y, false));
    assertRefused("rank", () -> d.convolution(spec, x, plain(4, 54), none, y, false));
    assertRefused(
        "batch", () -> d.convolution(spec, x, w, none, activation(Shape.of(1, 4, 5, 5)), false));
    assertRefused("size", () -> d.convolution(ConvolutionSpec.of(1, 0), x, w, none, y, false));
    ConvolutionSpec four = new ConvolutionSpec(1, 1, 1, 1, 1, 1, 1, 1, 4);
    assertRefused(
        "groups", () -> d.convolution(four, x, filters(Shape.of(4, 1, 3, 3)), none, y, false));
    ConvolutionSpec three = new ConvolutionSpec(1, 1, 1, 1, 1, 1, 1, 1, 3);
    assertRefused(
        "groups of y",
        () -> d.convolution(three, x, filters(Shape.of(4, 2, 3, 3)), none, y, false));
    assertRefused("bias", () -> d.convolution(spec, x, w, Epilogue.bias(typed(5)), y, false));
    Epilogue residual = new Epilogue(Optional.empty(), Optional.of(x), Activation.NONE);
    assertRefused("residual", () -> d.convolution(spec, x, w, residual, y, false));
    assertRefused("dx", () -> d.convolutionBackwardData(spec, y, w, y));
    assertRefused(
        "dw", () -> d.convolutionBackwardWeights(spec, x, y, filters(Shape.of(4, 6, 1, 1))));
    assertRefused("db", () -> d.biasBackward(y, plain(5)));
    assertRefused("x of F64", () -> d.convolution(spec, doubles(2, 6, 5, 5), w, none, y, false));
    // a kernel larger than the input, whose output size would round up to 1
    Tensor small = activation(Shape.of(1, 6, 2, 2));
    Tensor one = activation(Shape.of(1, 4, 1, 1));
    ConvolutionSpec wide = ConvolutionSpec.of(2, 0);
    assertRefused("too large", () -> d.convolution(wide, small, w, none, one, false));
    if (d.activationLayout() != Layout.PLAIN) {
      assertRefused("layout", () -> d.convolution(spec, plain(2, 6, 5, 5), w, none, y, false));
    }
  }

  @Test
  default void linearLayersThatDoNotFitAreRefused() {
    Device d = device();
    Tensor x = typed(2, 6);
    Tensor w = typed(4, 6);
    Tensor y = typed(2, 4);
    assertRefused("w", () -> d.linear(x, typed(4, 5), Epilogue.NONE, y));
    assertRefused("y", () -> d.linear(x, w, Epilogue.NONE, typed(4, 2)));
    assertRefused("bias", () -> d.linear(x, w, Epilogue.bias(typed(6)), y));
    Epilogue residual = new Epilogue(Optional.empty(), Optional.of(y), Activation.NONE);
    assertRefused("residual", () -> d.linear(x, w, residual, typed(2, 4)));
    assertRefused("dx", () -> d.linearBackwardData(y, w, typed(2, 5)));
    assertRefused("dw", () -> d.linearBackwardWeights(x, y, plain(6, 4)));
    assertRefused("rank", () -> d.linear(typed(12), w, Epilogue.NONE, y));
  }

  @Test
  default void normsThatDoNotFitAreRefused() {
    Shape s = Shape.of(2, 3, 4, 4);
    Tensor x = activation(s);
    Tensor y = activation(s);
    Tensor c = plain(3);
    assertRefused(
        "gamma",
        () -> device().batchNormInference(x, plain(4), c, c, c, 1e-5f, Activation.NONE, y));
    assertRefused(
        "y",
        () ->
            device()
                .batchNormInference(
                    x, c, c, c, c, 1e-5f, Activation.NONE, activation(s.with(0, 1))));
    assertRefused("dbeta", () -> training(x, y, activation(s), activation(s), plain(2)));
    assertRefused("dx", () -> training(x, y, activation(s), activation(s.with(3, 3)), plain(3)));
    Shape one = Shape.of(1, 3, 1, 1);
    assertRefused(
        "one value",
        () ->
            training(activation(one), activation(one), activation(one), activation(one), plain(3)));
  }

  @Test
  default void poolingsThatDoNotFitAreRefused() {
    PoolSpec spec = PoolSpec.square(PoolSpec.Kind.MAX, 2, 2, 0);
    Tensor x = activation(Shape.of(2, 3, 4, 4));
    Tensor y = activation(Shape.of(2, 3, 2, 2));
    assertRefused("y", () -> device().pool(spec, x, activation(Shape.of(2, 3, 2, 3))));
    assertRefused("channels", () -> device().pool(spec, x, activation(Shape.of(2, 4, 2, 2))));
    assertRefused("dx", () -> device().poolTraining(spec, x, y, y, y, arena()));
    Tensor small = activation(Shape.of(1, 3, 2, 2));
    Tensor one = activation(Shape.of(1, 3, 1, 1));
    PoolSpec large = PoolSpec.square(PoolSpec.Kind.MAX, 3, 2, 0);
    assertRefused("too large", () -> device().pool(large, small, one));
  }

  @Test
  default void pointwiseShapesThatDoNotFitAreRefused() {
    Device d = device();
    Shape s = Shape.of(2, 3, 4, 4);
    Tensor x = activation(s);
    Tensor other = activation(Shape.of(2, 4, 3, 4));
    Activation relu = Activation.RELU;
    assertRefused("activation", () -> d.activation(relu, x, other));
    assertRefused("activation gradient", () -> d.activationBackward(relu, x, other, x));
    assertRefused("add", () -> d.add(x, other, relu, x));
    assertRefused("sum", () -> d.add(x, x, relu, other));
    assertRefused("nothing", () -> d.concat(List.of(), x));
    assertRefused("concat", () -> d.concat(List.of(x, x), other));
    assertRefused("concat", () -> d.concat(List.of(x, other), activation(Shape.of(2, 7, 4, 4))));
    Tensor two = activation(s.with(1, 2));
    assertRefused("slice", () -> d.sliceChannels(x, 2, two));
    assertRefused("slice", () -> d.sliceChannels(x, -1, two));
    assertRefused("slice", () -> d.sliceChannels(other, 0, two));
    Tensor half = activation(Shape.of(2, 5, 2, 2));
    assertRefused("shortcut", () -> d.shortcut(x, 2, 3, half));
    assertRefused("shortcut", () -> d.shortcut(x, 1, 0, half));
    assertRefused("shortcut", () -> d.shortcut(x, 2, -1, half));
    assertRefused("shortcut gradient", () -> d.shortcutBackward(half, 2, 3, x));
    if (d.activationLayout() != Layout.PLAIN) {
      assertRefused("layouts", () -> d.add(x, plain(s.toArray()), relu, x));
    }
  }

  @Test
  default void lossesAndInputsThatDoNotFitAreRefused() {
    Device d = device();
    Tensor logits = plain(3, 4);
    Tensor labels = ints(new int[3], 3);
    Tensor metrics = doubles(4);
    Optional<Tensor> none = Optional.empty();
    assertRefused("softmax", () -> d.softmax(logits, plain(4, 3)));
    assertRefused("labels", () -> d.crossEntropy(logits, ints(new int[2], 2), 0, metrics, none));
    assertRefused("label type", () -> d.crossEntropy(logits, plain(3), 0, metrics, none));
    assertRefused("metrics", () -> d.crossEntropy(logits, labels, 0, doubles(3), none));
    assertRefused("metrics type", () -> d.crossEntropy(logits, labels, 0, plain(4), none));
    assertRefused(
        "dlogits", () -> d.crossEntropy(logits, labels, 0, metrics, Optional.of(plain(4, 3))));

    Shape s = Shape.of(2, 3, 5, 4);
    Tensor pixels = arena().allocate(s, DType.U8, Layout.PLAIN);
    Tensor y = activation(s);
    Tensor c = plain(3);
    assertRefused("scale", () -> d.imageInput(pixels, none, 0, plain(4), plain(4), y));
    assertRefused("shift", () -> d.imageInput(pixels, none, 0, c, plain(3, 5, 4), y));
    assertRefused("turned", () -> d.imageInput(pixels, none, 0, plain(5, 4, 3), plain(5, 4, 3), y));
    assertRefused("pixels", () -> d.imageInput(activation(s), none, 0, c, c, y));
    assertRefused("y", () -> d.imageInput(pixels, none, 0, c, c, activation(Shape.of(2, 3, 4, 5))));
    assertRefused(
        "crops", () -> d.imageInput(pixels, Optional.of(ints(new int[6], 3, 2)), 1, c, c, y));
    assertRefused("padding", () -> d.imageInput(pixels, none, -1, c, c, y));

    Tensor lr = plain(1);
    assertRefused("gradient", () -> d.sgd(c, plain(4), c, lr, 0, false, 0));
    assertRefused("velocity", () -> d.sgd(c, c, plain(1, 3), lr, 0, false, 0));
    assertRefused("lr", () -> d.sgd(c, plain(3), plain(3), plain(2), 0, false, 0));
    assertRefused("lr type", () -> d.sgd(c, plain(3), plain(3), doubles(1), 0, false, 0));
  }

  private TrainingKernels training(Tensor x, Tensor y, Tensor dy, Tensor dx, Tensor dbeta) {
    Tensor c = plain(3);
    return device()
        .batchNormTraining(
            x, c, c, plain(3), plain(3), 0.1f, 1e-5f, false, y, dy, dx, plain(3), dbeta, arena());
  }
}
