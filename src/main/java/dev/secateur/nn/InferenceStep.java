package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.Norms;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Operands;
import dev.secateur.nn.op.Parameters;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One kernel of a network compiled for inference, without its place in the network: equal steps
 * take equal times on one device at one batch.
 *
 * @param op the first node's
 * @param inputs for one image, without a residual
 * @param output for one image; the residual's shape too
 * @param bias whether a convolution adds a vector: its own, or that of a norm folded into it
 * @param function what a convolution does to each element behind the activation
 * @param logits whether the result is the network's, in single precision
 */
public record InferenceStep(
    Op op,
    List<Shape> inputs,
    Shape output,
    boolean bias,
    boolean residual,
    Activation activation,
    Optional<ElementwiseSpec> function,
    boolean logits) {
  private static final int NOISE = 1 << 12;

  public InferenceStep {
    inputs = List.copyOf(inputs);
  }

  /** The same with other widths. */
  InferenceStep at(Op wide, List<Shape> in, Shape out) {
    return new InferenceStep(wide, in, out, bias, residual, activation, function, logits);
  }

  /** Where a step takes weights that a batch norm may be folded into. */
  interface Weights {
    /** Those of a convolution, with its bias and the norm behind it. */
    Snapshots.Folded convolution();

    /** Scale and shift of a norm by itself, F32, as wide as what it reads. */
    Snapshots.Folded norm();

    /** The normalisation of pixels. */
    InputScale pixels();
  }

  /**
   * The step's kernel.
   *
   * @param o with operands of the step's widths; the first input of the image's step are its pixels
   * @param sum the residual
   */
  Kernel bind(Operands o, Optional<Tensor> sum, Weights weights) {
    Device device = o.device();
    if (op instanceof Input) {
      InputScale s = weights.pixels();
      return device.moves().imageInput(o.first(), Optional.empty(), 0, s.scale(), s.shift(), o.y());
    }
    if (op instanceof Convolution c) {
      Snapshots.Folded own = weights.convolution();
      Epilogue epilogue = new Epilogue(own.shift(), sum, activation, function);
      return device
          .convolutions()
          .forward(c.spec(), o.first(), own.weights(), epilogue, o.y(), true);
    }
    return op instanceof BatchNorm ? device.norms().affine(affine(o, sum, weights)) : op.forward(o);
  }

  /** What a norm by itself does, with what is computed with it. */
  Norms.Affine affine(Operands o, Optional<Tensor> sum, Weights weights) {
    Snapshots.Folded own = weights.norm();
    Device device = o.device();
    return new Norms.Affine(
        Operands.image(device, o.first()),
        own.weights(),
        own.shift().orElseThrow(),
        sum.map(r -> Operands.image(device, r)),
        activation,
        Operands.image(device, o.y()));
  }

  /** The step by itself on noise, its tensors in {@code arena}, as a program has it. */
  public Kernel kernel(Device device, int batch, Arena arena) {
    List<Long> channels = inputs.stream().map(s -> s.dim(1)).toList();
    return Widths.of(this, device).onNoise(new Noise(device, batch, arena), channels);
  }

  /**
   * @param channels of its own that each input has
   */
  private Kernel onNoise(Noise make, List<Long> channels) {
    Device device = make.device();
    List<Tensor> x = new ArrayList<>();
    if (op instanceof Input i) {
      Shape image = output.with(0, make.batch()).with(1, i.channels());
      x.add(make.arena().allocate(image, DType.U8, Layout.PLAIN));
    }
    inputs.forEach(s -> x.add(make.activations(s, false)));
    Optional<Tensor> sum =
        residual ? Optional.of(make.activations(output, false)) : Optional.empty();
    Tensor y = make.activations(output, logits);
    long in = inputs.isEmpty() ? 0 : inputs.get(0).dim(1);
    Map<String, Shape> shapes = op.parameters(in, output.dim(1));
    Parameters parameters =
        new Parameters() {
          @Override
          public Tensor weights(String parameter) {
            return make.filters(shapes.get(parameter.substring(1)));
          }

          @Override
          public Tensor vector(String parameter, DType type) {
            return make.vector(shapes.get(parameter.substring(1)), type);
          }
        };
    Weights weights =
        new Weights() {
          @Override
          public Snapshots.Folded convolution() {
            Shape filters = shapes.get("weight");
            Shape each = Shape.of(filters.dim(0));
            return new Snapshots.Folded(
                make.filters(filters),
                bias ? Optional.of(make.vector(each, device.activationType())) : Optional.empty());
          }

          @Override
          public Snapshots.Folded norm() {
            Tensor v = make.vector(Shape.of(output.dim(1)), DType.F32);
            return new Snapshots.Folded(v, Optional.of(v));
          }

          @Override
          public InputScale pixels() {
            Tensor v = make.vector(Shape.of(((Input) op).channels()), DType.F32);
            return new InputScale(v, v);
          }
        };
    return bind(new Operands(device, make.arena(), parameters, "", x, channels, y), sum, weights);
  }

  /** Makes tensors of noise. */
  private record Noise(Device device, int batch, Arena arena) {
    Tensor activations(Shape ofOne, boolean single) {
      Shape shape = ofOne.with(0, batch);
      Layout layout = shape.rank() == 4 ? device.activationLayout() : Layout.PLAIN;
      return noise(shape, single ? DType.F32 : device.activationType(), layout);
    }

    Tensor filters(Shape shape) {
      Layout layout = shape.rank() == 4 ? device.weightLayout() : Layout.PLAIN;
      return noise(shape, device.activationType(), layout);
    }

    Tensor vector(Shape shape, DType type) {
      return noise(shape, type, Layout.PLAIN);
    }

    /** Numbers between 0.5 and 1, so that nothing becomes zero, infinite or subnormal. */
    private Tensor noise(Shape shape, DType type, Layout layout) {
      Tensor t = arena.allocate(shape, type, layout);
      float[] values = new float[Math.toIntExact(shape.elements())];
      for (int i = 0; i < values.length; i++) {
        values[i] = 0.5f + 0.5f * (i * 2654435761L % NOISE) / NOISE;
      }
      device.upload(values, Operands.plain(t, shape));
      return t;
    }
  }
}
