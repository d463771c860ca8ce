package dev.secateur.device.cuda;

import dev.secateur.device.AdamSpec;
import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.MixedPrecision;
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
  /** Elements to an entry of the table; every parameter begins at a multiple. */
  private static final int UNIT = 16;

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
  public Kernel pack(Tensor flat, List<Tensor> filters, Tensor packed, Arena arena) {
    Contract.vector("packed", packed, type, flat.elements());
    Tables t = tables(flat, filters, arena);
    return kernels
        .launch("pack", type)
        .arg(flat)
        .arg(packed)
        .arg(t.units())
        .arg(t.parts())
        .arg(flat.elements())
        .over(flat.elements());
  }

  @Override
  public Kernel unpack(
      Tensor packed,
      Tensor flat,
      List<Tensor> filters,
      Tensor gradients,
      Optional<Tensor> state,
      Arena arena) {
    Contract.vector("packed", packed, type, flat.elements());
    Contract.vector("gradients", gradients, DType.F32, flat.elements());
    Tables t = tables(flat, filters, arena);
    return kernels
        .launch("unpack", type)
        .arg(packed)
        .arg(gradients)
        .arg(t.units())
        .arg(t.parts())
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

  private record Tables(Tensor units, Tensor parts) {}

  private Tables tables(Tensor flat, List<Tensor> filters, Arena arena) {
    Contract.plain("flat", flat, DType.F32, 1);
    int[] units = new int[Math.toIntExact((flat.elements() + UNIT - 1) / UNIT)];
    int[] parts = new int[4 * Math.max(1, filters.size())];
    Arrays.fill(units, -1);
    for (int i = 0; i < filters.size(); i++) {
      Tensor f = filters.get(i);
      Contract.plain("filters", f, DType.F32, 4);
      long offset = (f.byteOffset() - flat.byteOffset()) / Float.BYTES;
      boolean inside =
          f.buffer() == flat.buffer()
              && offset >= 0
              && offset % UNIT == 0
              && offset + f.elements() <= flat.elements();
      Contract.that(inside, "filters must be views of the parameters", f);
      Shape s = f.shape();
      int first = Math.toIntExact(offset / UNIT);
      int count = Math.toIntExact(f.elements());
      parts[4 * i] = first;
      parts[4 * i + 1] = count;
      parts[4 * i + 2] = s.size(1);
      parts[4 * i + 3] = s.size(2) * s.size(3);
      Arrays.fill(units, first, first + (count + UNIT - 1) / UNIT, i);
    }
    return new Tables(upload.apply(units, arena), upload.apply(parts, arena));
  }

  /** Indices on the device. */
  static Tensor ints(CudaCopies copies, int[] values, Arena arena) {
    Tensor t = arena.allocate(Shape.of(values.length), DType.I32, Layout.PLAIN);
    copies.upload(values, t);
    return t;
  }
}
