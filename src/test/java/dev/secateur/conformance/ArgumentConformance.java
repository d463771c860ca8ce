package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertRefused;

import dev.secateur.device.Activation;
import dev.secateur.device.BatchNormTraining;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Folding;
import dev.secateur.device.GroupPenalty;
import dev.secateur.device.Norms;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.SgdSpec;
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
        "channels",
        () -> d.convolutions().forward(spec, x, filters(Shape.of(4, 5, 3, 3)), none, y, false));
    assertRefused(
        "filters",
        () -> d.convolutions().forward(spec, x, filters(Shape.of(5, 6, 3, 3)), none, y, false));
    assertRefused("rank", () -> d.convolutions().forward(spec, x, plain(4, 54), none, y, false));
    assertRefused(
        "batch",
        () -> d.convolutions().forward(spec, x, w, none, activation(Shape.of(1, 4, 5, 5)), false));
    assertRefused(
        "size", () -> d.convolutions().forward(ConvolutionSpec.of(1, 0), x, w, none, y, false));
    ConvolutionSpec four = new ConvolutionSpec(1, 1, 1, 1, 1, 1, 1, 1, 4);
    assertRefused(
        "groups",
        () -> d.convolutions().forward(four, x, filters(Shape.of(4, 1, 3, 3)), none, y, false));
    ConvolutionSpec three = new ConvolutionSpec(1, 1, 1, 1, 1, 1, 1, 1, 3);
    assertRefused(
        "groups of y",
        () -> d.convolutions().forward(three, x, filters(Shape.of(4, 2, 3, 3)), none, y, false));
    assertRefused(
        "bias", () -> d.convolutions().forward(spec, x, w, Epilogue.bias(typed(5)), y, false));
    Epilogue residual = new Epilogue(Optional.empty(), Optional.of(x), Activation.NONE);
    assertRefused("residual", () -> d.convolutions().forward(spec, x, w, residual, y, false));
    assertRefused("dx", () -> d.convolutions().backwardData(spec, y, w, y));
    assertRefused(
        "dw", () -> d.convolutions().backwardWeights(spec, x, y, filters(Shape.of(4, 6, 1, 1))));
    assertRefused("db", () -> d.reductions().biasBackward(y, plain(5)));
    assertRefused(
        "x of F64", () -> d.convolutions().forward(spec, doubles(2, 6, 5, 5), w, none, y, false));
    // a kernel larger than the input, whose output size would round up to 1
    Tensor small = activation(Shape.of(1, 6, 2, 2));
    Tensor one = activation(Shape.of(1, 4, 1, 1));
    ConvolutionSpec wide = ConvolutionSpec.of(2, 0);
    assertRefused("too large", () -> d.convolutions().forward(wide, small, w, none, one, false));
    if (d.activationLayout() != Layout.PLAIN) {
      assertRefused(
          "layout", () -> d.convolutions().forward(spec, plain(2, 6, 5, 5), w, none, y, false));
    }
  }

  @Test
  default void linearLayersThatDoNotFitAreRefused() {
    Device d = device();
    Tensor x = typed(2, 6);
    Tensor w = typed(4, 6);
    Tensor y = typed(2, 4);
    assertRefused("w", () -> d.linear().forward(x, typed(4, 5), Epilogue.NONE, y));
    assertRefused("y", () -> d.linear().forward(x, w, Epilogue.NONE, typed(4, 2)));
    assertRefused("bias", () -> d.linear().forward(x, w, Epilogue.bias(typed(6)), y));
    Epilogue residual = new Epilogue(Optional.empty(), Optional.of(y), Activation.NONE);
    assertRefused("residual", () -> d.linear().forward(x, w, residual, typed(2, 4)));
    assertRefused("dx", () -> d.linear().backwardData(y, w, typed(2, 5)));
    assertRefused("dw", () -> d.linear().backwardWeights(x, y, plain(6, 4)));
    assertRefused("rank", () -> d.linear().forward(typed(12), w, Epilogue.NONE, y));
  }

  @Test
  default void normsThatDoNotFitAreRefused() {
    Shape s = Shape.of(2, 3, 4, 4);
    Tensor x = activation(s);
    Tensor y = activation(s);
    Tensor c = plain(3);
    Optional<Tensor> none = Optional.empty();
    Norms norms = device().norms();
    Activation a = Activation.NONE;
    Tensor other = activation(s.with(0, 1));
    assertRefused("scale", () -> norms.affine(new Norms.Affine(x, plain(4), c, none, a, y)));
    assertRefused("y", () -> norms.affine(new Norms.Affine(x, c, c, none, a, other)));
    assertRefused(
        "residual", () -> norms.affine(new Norms.Affine(x, c, c, Optional.of(other), a, y)));
    Norms.Affine fits = new Norms.Affine(x, c, c, none, a, y);
    PoolSpec.Kind max = PoolSpec.Kind.MAX;
    assertRefused("columns", () -> norms.affineWithFeatures(fits, max, 3, plain(2, 4), 2));
    assertRefused("channels", () -> norms.affineWithFeatures(fits, max, 4, plain(2, 4), 0));
    assertRefused("fold", () -> norms.fold(Folding.copy(plain(3, 4), plain(2, 4))));
    assertRefused("fold, rank", () -> norms.fold(Folding.copy(plain(3, 4), plain(12))));
    Optional<Tensor> four = Optional.of(plain(4));
    assertRefused("fold, bias", () -> norms.fold(new Folding(c, four, Optional.empty(), c, none)));
    assertRefused("fold, shift", () -> norms.fold(new Folding(c, none, Optional.empty(), c, four)));
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
    assertRefused("y", () -> device().pools().forward(spec, x, activation(Shape.of(2, 3, 2, 3))));
    assertRefused(
        "channels", () -> device().pools().forward(spec, x, activation(Shape.of(2, 4, 2, 2))));
    assertRefused("dx", () -> device().pools().training(spec, x, y, y, y, arena()));
    Tensor small = activation(Shape.of(1, 3, 2, 2));
    Tensor one = activation(Shape.of(1, 3, 1, 1));
    PoolSpec large = PoolSpec.square(PoolSpec.Kind.MAX, 3, 2, 0);
    assertRefused("too large", () -> device().pools().forward(large, small, one));
  }

  @Test
  default void pointwiseShapesThatDoNotFitAreRefused() {
    Device d = device();
    Shape s = Shape.of(2, 3, 4, 4);
    Tensor x = activation(s);
    Tensor other = activation(Shape.of(2, 4, 3, 4));
    Activation relu = Activation.RELU;
    assertRefused("activation", () -> d.pointwise().activation(relu, x, other));
    assertRefused("activation gradient", () -> d.pointwise().activationBackward(relu, x, other, x));
    assertRefused("add", () -> d.pointwise().add(x, other, relu, x));
    assertRefused("sum", () -> d.pointwise().add(x, x, relu, other));
    assertRefused("nothing", () -> d.moves().concat(List.of(), List.of(), x));
    assertRefused("concat", () -> d.moves().concat(List.of(x, x), List.of(3L, 3L), other));
    Tensor seven = activation(Shape.of(2, 7, 4, 4));
    assertRefused("concat", () -> d.moves().concat(List.of(x, other), List.of(3L, 4L), seven));
    assertRefused("concat", () -> d.moves().concat(List.of(x, x), List.of(3L), seven));
    assertRefused("concat", () -> d.moves().concat(List.of(x, x), List.of(3L, 4L), seven));
    assertRefused("concat", () -> d.moves().concat(List.of(x, x), List.of(3L, 0L), seven));
    Tensor two = activation(s.with(1, 2));
    assertRefused("slice", () -> d.moves().sliceChannels(x, 2, 2, two));
    assertRefused("slice", () -> d.moves().sliceChannels(x, -1, 2, two));
    assertRefused("slice", () -> d.moves().sliceChannels(x, 0, 3, two));
    assertRefused("slice", () -> d.moves().sliceChannels(other, 0, 2, two));
    Tensor half = activation(Shape.of(2, 5, 2, 2));
    assertRefused("shortcut", () -> d.moves().shortcut(x, 2, 3, 3, half));
    assertRefused("shortcut", () -> d.moves().shortcut(x, 1, 0, 3, half));
    assertRefused("shortcut", () -> d.moves().shortcut(x, 2, -1, 3, half));
    assertRefused("shortcut gradient", () -> d.moves().shortcutBackward(half, 2, 3, 3, x));
    assertRefused("shortcut channels", () -> d.moves().shortcut(x, 2, 0, 4, half));
    if (d.activationLayout() != Layout.PLAIN) {
      assertRefused("layouts", () -> d.pointwise().add(x, plain(s.toArray()), relu, x));
    }
  }

  @Test
  default void lossesAndInputsThatDoNotFitAreRefused() {
    Device d = device();
    Tensor logits = plain(3, 4);
    Tensor labels = ints(new int[3], 3);
    Tensor metrics = doubles(4);
    Optional<Tensor> none = Optional.empty();
    assertRefused("softmax", () -> d.norms().softmax(logits, plain(4, 3)));
    assertRefused(
        "labels", () -> d.training().crossEntropy(logits, ints(new int[2], 2), 0, metrics, none));
    assertRefused(
        "label type", () -> d.training().crossEntropy(logits, plain(3), 0, metrics, none));
    assertRefused("metrics", () -> d.training().crossEntropy(logits, labels, 0, doubles(3), none));
    assertRefused(
        "metrics type", () -> d.training().crossEntropy(logits, labels, 0, plain(4), none));
    assertRefused(
        "dlogits",
        () -> d.training().crossEntropy(logits, labels, 0, metrics, Optional.of(plain(4, 3))));

    Shape s = Shape.of(2, 3, 5, 4);
    Tensor pixels = arena().allocate(s, DType.U8, Layout.PLAIN);
    Tensor y = activation(s);
    Tensor c = plain(3);
    assertRefused("scale", () -> d.moves().imageInput(pixels, none, 0, plain(4), plain(4), y));
    assertRefused("shift", () -> d.moves().imageInput(pixels, none, 0, c, plain(3, 5, 4), y));
    assertRefused(
        "turned", () -> d.moves().imageInput(pixels, none, 0, plain(5, 4, 3), plain(5, 4, 3), y));
    assertRefused("pixels", () -> d.moves().imageInput(activation(s), none, 0, c, c, y));
    assertRefused(
        "y", () -> d.moves().imageInput(pixels, none, 0, c, c, activation(Shape.of(2, 3, 4, 5))));
    assertRefused(
        "too few", () -> d.moves().imageInput(pixels, none, 0, c, c, activation(s.with(1, 2))));
    assertRefused(
        "crops",
        () -> d.moves().imageInput(pixels, Optional.of(ints(new int[6], 3, 2)), 1, c, c, y));
    assertRefused("padding", () -> d.moves().imageInput(pixels, none, -1, c, c, y));

    Tensor lr = plain(1);
    SgdSpec still = new SgdSpec(0, false, 0, 0);
    assertRefused("gradient", () -> d.training().sgd(c, plain(4), c, lr, still));
    assertRefused("velocity", () -> d.training().sgd(c, c, plain(1, 3), lr, still));
    assertRefused("lr", () -> d.training().sgd(c, plain(3), plain(3), plain(2), still));
    assertRefused("lr type", () -> d.training().sgd(c, plain(3), plain(3), doubles(1), still));

    Tensor rows = ints(new int[4], 2, 2);
    GroupPenalty lasso = GroupPenalty.LASSO;
    assertRefused("gradient", () -> d.training().groupPenalty(c, plain(4), rows, plain(2), lasso));
    assertRefused(
        "rows", () -> d.training().groupPenalty(c, c, ints(new int[6], 2, 3), plain(2), lasso));
    assertRefused("row type", () -> d.training().groupPenalty(c, c, plain(2, 2), plain(2), lasso));
    assertRefused("strengths", () -> d.training().groupPenalty(c, c, rows, plain(3), lasso));
  }

  private TrainingKernels training(Tensor x, Tensor y, Tensor dy, Tensor dx, Tensor dbeta) {
    Tensor c = plain(3);
    return device()
        .norms()
        .batchNormTraining(
            new BatchNormTraining(
                x, c, c, plain(3), plain(3), 0.1f, 1e-5f, false, y, dy, dx, plain(3), dbeta),
            arena());
  }
}
