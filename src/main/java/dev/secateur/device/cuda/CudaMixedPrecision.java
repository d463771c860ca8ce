package dev.secateur.device.cuda;

import dev.secateur.device.AdamSpec;
import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.MixedPrecision;
import dev.secateur.device.ParameterCopy;
import dev.secateur.device.SgdSpec;
import dev.secateur.device.Training;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;

/** Master parameters and their copies; kernels/mixed.inc. One kernel for a whole network each. */
final class CudaMixedPrecision implements MixedPrecision {
  /** Numbers that a table has for a parameter. */
  private static final int PART = 6;

  /** Good steps until the scale is doubled, as in PyTorch's GradScaler. */
  private static final int PATIENCE = 2000;

  private final CudaKernels kernels;
  private final CudaTraining training;
  private final DType type;
  private final BiFunction<int[], Arena, Tensor> upload;

  CudaMixedPrecision(
      CudaKernels kernels,
      CudaTraining training,
      DType type,
      BiFunction<int[], Arena, Tensor> upload) {
    this.kernels = kernels;
    this.training = training;
    this.type = type;
    this.upload = upload;
  }

  @Override
  public boolean scalesLoss() {
    return type == DType.F16;
  }

  @Override
  public Kernel pack(Tensor flat, List<ParameterCopy> copies, Tensor packed, Arena arena) {
    Contract.plain("packed", packed, type, 1);
    int[] parts = parts(flat, copies, packed);
    int[] units = units(packed);
    for (int i = 0; i < copies.size(); i++) {
      fill(units, copies.get(i).at(), copies.get(i).shape(), i);
    }
    return kernels
        .launch("pack", type)
        .arg(flat)
        .arg(packed)
        .arg(upload.apply(units, arena))
        .arg(upload.apply(parts, arena))
        .arg(packed.elements())
        .over(packed.elements());
  }

  @Override
  public Kernel unpack(
      Tensor packed,
      Tensor flat,
      List<ParameterCopy> copies,
      Tensor gradients,
      Optional<Tensor> state,
      Arena arena) {
    Contract.plain("packed", packed, type, 1);
    Contract.vector("gradients", gradients, DType.F32, flat.elements());
    int[] parts = parts(flat, copies, packed);
    int[] units = units(flat);
    for (int i = 0; i < copies.size(); i++) {
      if (copies.get(i).shape().rank() == 4) {
        fill(units, offset(flat, copies.get(i)), copies.get(i).of().shape(), i);
      }
    }
    return kernels
        .launch("unpack", type)
        .arg(packed)
        .arg(gradients)
        .arg(upload.apply(units, arena))
        .arg(upload.apply(parts, arena))
        .arg(state.map(CudaMixedPrecision::checked))
        .arg(flat.elements())
        .over(flat.elements());
  }

  @Override
  public Kernel scaleLoss(Tensor x, Tensor y, Optional<Tensor> state) {
    Contract.type("x", x, DType.F32);
    Contract.type("y", y, type);
    Contract.sameShape("x and y", x, y);
    Contract.sameLayout("x and y", x, y);
    return kernels
        .launch("scale_loss", type)
        .arg(x)
        .arg(y)
        .arg(state.map(CudaMixedPrecision::checked))
        .arg(x.elements())
        .over(x.elements());
  }

  @Override
  public Kernel sgd(Tensor p, Tensor grad, Tensor velocity, Tensor lr, SgdSpec spec, Tensor state) {
    Training.checkSgd(p, grad, velocity, lr);
    Kernel step = training.step(p, grad, velocity, lr, spec, Optional.of(checked(state)));
    Kernel scale = kernels.launch("loss_scale").arg(state).arg(PATIENCE).one();
    return () -> {
      step.launch();
      scale.launch();
    };
  }

  @Override
  public Kernel adamW(
      Tensor p,
      Tensor grad,
      Tensor mean,
      Tensor square,
      Tensor lr,
      Tensor steps,
      AdamSpec spec,
      Tensor state) {
    Training.checkAdamW(p, grad, mean, square, lr, steps);
    Optional<Tensor> overflow = Optional.of(checked(state));
    return Kernel.each(
        List.of(
            training.step(p, grad, mean, square, lr, steps, spec, overflow),
            kernels.launch("loss_scale").arg(state).arg(PATIENCE).one()));
  }

  private static Tensor checked(Tensor state) {
    Contract.vector("state", state, DType.F32, 3);
    return state;
  }

  /** For each 16 elements of a vector which parameter they belong to: none yet. */
  private static int[] units(Tensor vector) {
    int[] units = new int[Math.toIntExact((vector.elements() + UNIT - 1) / UNIT)];
    Arrays.fill(units, -1);
    return units;
  }

  private static void fill(int[] units, long at, Shape shape, int part) {
    int first = Math.toIntExact(at / UNIT);
    int count = Math.toIntExact((shape.elements() + UNIT - 1) / UNIT);
    Arrays.fill(units, first, first + count, part);
  }

  private static long offset(Tensor flat, ParameterCopy copy) {
    return (copy.of().byteOffset() - flat.byteOffset()) / Float.BYTES;
  }

  /**
   * For each parameter: where it begins in flat and among the copies, in units; filters, channels
   * and positions of a filter; channels of the copy.
   */
  private static int[] parts(Tensor flat, List<ParameterCopy> copies, Tensor packed) {
    Contract.plain("flat", flat, DType.F32, 1);
    int[] parts = new int[PART * Math.max(1, copies.size())];
    for (int i = 0; i < copies.size(); i++) {
      ParameterCopy c = copies.get(i);
      Contract.type("parameters", c.of(), DType.F32);
      long offset = offset(flat, c);
      boolean inside =
          c.of().buffer() == flat.buffer()
              && offset >= 0
              && offset % UNIT == 0
              && offset + c.of().elements() <= flat.elements();
      Contract.that(inside, "parameters must be parts of one vector", c.of());
      boolean fits = c.at() % UNIT == 0 && c.at() + c.shape().elements() <= packed.elements();
      Contract.that(fits, "copies must be parts of another", c);
      Shape own = c.of().shape();
      boolean vector = own.rank() == 1;
      boolean filters = own.rank() == 4;
      parts[PART * i] = Math.toIntExact(offset / UNIT);
      parts[PART * i + 1] = Math.toIntExact(c.at() / UNIT);
      parts[PART * i + 2] = vector ? 1 : own.size(0);
      parts[PART * i + 3] = vector ? own.size(0) : own.size(1);
      parts[PART * i + 4] = filters ? own.size(2) * own.size(3) : 1;
      parts[PART * i + 5] = vector ? c.shape().size(0) : c.shape().size(1);
    }
    return parts;
  }

  /** Indices on the device. */
  static Tensor ints(CudaCopies copies, int[] values, Arena arena) {
    Tensor t = arena.allocate(Shape.of(values.length), DType.I32, Layout.PLAIN);
    copies.upload(values, t);
    return t;
  }
}
