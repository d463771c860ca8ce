package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.Norms;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
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
 * @param logits whether the result is the network's, in single precision
 */
public record InferenceStep(
    Op op,
    List<Shape> inputs,
    Shape output,
    boolean bias,
    boolean residual,
    Activation activation,
    boolean logits) {
  private static final int NOISE = 1 << 12;

  public InferenceStep {
    inputs = List.copyOf(inputs);
  }

  /** The step by itself on noise, its tensors in {@code arena}, as a program has it. */
  public Kernel kernel(Device device, int batch, Arena arena) {
    List<Long> channels = inputs.stream().map(s -> s.dim(1)).toList();
    return Widths.of(this, device).kernel(new Maker(device, batch, arena), channels);
  }

  /**
   * @param channels of its own that each input has
   */
  private Kernel kernel(Maker make, List<Long> channels) {
    Device device = make.device();
    if (op instanceof Op.Input) {
      Shape image = output.with(0, make.batch()).with(1, ((Op.Input) op).channels());
      Tensor pixels = make.arena().allocate(image, DType.U8, Layout.PLAIN);
      Tensor scale = make.vector(Shape.of(image.dim(1)), DType.F32);
      return device
          .moves()
          .imageInput(pixels, Optional.empty(), 0, scale, scale, make.activations(output, false));
    }
    List<Tensor> x = inputs.stream().map(s -> make.activations(s, false)).toList();
    Tensor y = make.activations(output, logits);
    if (op instanceof Op.Convolution c) {
      Node alone = new Node("step", c, List.of("x"));
      Shape w = ParameterShapes.of(alone, inputs.get(0).dim(1), output.dim(1)).get("step.weight");
      Optional<Tensor> vector =
          bias
              ? Optional.of(make.vector(Shape.of(c.outChannels()), device.activationType()))
              : Optional.empty();
      Optional<Tensor> sum =
          residual ? Optional.of(make.activations(output, false)) : Optional.empty();
      return device
          .convolutions()
          .forward(
              c.spec(), x.get(0), make.filters(w), new Epilogue(vector, sum, activation), y, true);
    }
    if (op instanceof Op.BatchNorm) {
      Tensor v = make.vector(Shape.of(output.dim(1)), DType.F32);
      ForwardKernels forward = make.forward(Map.of());
      Optional<Tensor> sum =
          residual ? Optional.of(make.activations(output, false)) : Optional.empty();
      return device
          .norms()
          .affine(
              new Norms.Affine(forward.image(x.get(0)), v, v, sum, activation, forward.image(y)));
    }
    Node alone = new Node("step", op, inputs.stream().map(Shape::toString).toList());
    return make.forward(ParameterShapes.of(alone, inputs.get(0).dim(1), output.dim(1)))
        .of(alone, x, channels, y);
  }

  /** Makes tensors of noise. */
  private record Maker(Device device, int batch, Arena arena) {
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

    ForwardKernels forward(Map<String, Shape> shapes) {
      Parameters noise =
          new Parameters() {
            @Override
            public Tensor weights(String parameter) {
              return filters(shapes.get(parameter));
            }

            @Override
            public Tensor vector(String parameter, DType type) {
              return Maker.this.vector(shapes.get(parameter), type);
            }
          };
      return new ForwardKernels(device, arena, noise);
    }

    /** Numbers between 0.5 and 1, so that nothing becomes zero, infinite or subnormal. */
    private Tensor noise(Shape shape, DType type, Layout layout) {
      Tensor t = arena.allocate(shape, type, layout);
      float[] values = new float[Math.toIntExact(shape.elements())];
      for (int i = 0; i < values.length; i++) {
        values[i] = 0.5f + 0.5f * (i * 2654435761L % NOISE) / NOISE;
      }
      device.upload(values, ForwardKernels.plain(t, shape));
      return t;
    }
  }
}
