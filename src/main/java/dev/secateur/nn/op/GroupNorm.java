package dev.secateur.nn.op;

import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.device.LayerNormTraining;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Norm over the channels and pixels of each of some groups of neighbouring channels (Wu and He
 * 2018), instance norm where every channel is a group: {@code NAME.weight, .bias}, each (C). A
 * group stays or goes as a whole, so that what is left of the others is the same.
 *
 * <p>On a device it is a layer norm over rows, one an image and group, and a scale and shift a
 * channel.
 */
public record GroupNorm(int count, float eps) implements Op {
  static final OpType<GroupNorm> TYPE =
      new OpType<>(
          "GroupNorm",
          GroupNorm.class,
          (op, to) -> to.put("count", op.count).put("eps", op.eps),
          a -> new GroupNorm(a.whole("count"), a.number("eps")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "group norm";
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    if (x.rank() != 4 || x.dim(1) % Fit.positive(count) != 0) {
      throw new IllegalArgumentException("channels are not a multiple of " + count + " groups");
    }
    return x;
  }

  @Override
  public Map<String, Shape> parameters(long in, long width) {
    Map<String, Shape> out = new LinkedHashMap<>();
    out.put("weight", Shape.of(width));
    out.put("bias", Shape.of(width));
    return out;
  }

  @Override
  public void flow(ChannelFlow flow) {
    int each = flow.width() / count;
    for (int c = 0; c < flow.width(); c++) {
      if (c % each > 0) {
        flow.tie(flow.input(0) + c - 1, flow.input(0) + c);
      }
    }
    flow.pass();
  }

  @Override
  public boolean couples() {
    return true;
  }

  @Override
  public GroupNorm resized(int before, int in, int out) {
    return new GroupNorm(Math.max(1, (int) ((long) count * out / before)), eps);
  }

  @Override
  public GroupNorm widened(int before, int in, int out) {
    return this; // groups are of its own channels
  }

  @Override
  public Map<String, ParameterCut> cuts(KeptChannels kept) {
    return Map.of("weight", ParameterCut.first(kept.out()), "bias", ParameterCut.first(kept.out()));
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return Fit.withRoom(out, wide.get(0));
  }

  /** A row an image and group. */
  private Shape rows(Tensor own) {
    Shape s = own.shape();
    return Shape.of(s.dim(0) * count, s.elements() / s.dim(0) / count);
  }

  /** A tensor in the order of rows: itself where it lies so, else memory for a copy. */
  private static Tensor inOrder(Operands o, Tensor t) {
    return t.layout() == Layout.PLAIN ? t : o.arena().allocate(t.shape(), t.dtype(), Layout.PLAIN);
  }

  private static void copy(Operands o, Tensor from, Tensor to, List<Kernel> out) {
    if (from != to) {
      out.add(o.device().moves().copy(from, to));
    }
  }

  /** Own channels alone, as groups are of them. */
  private record Place(Tensor x, Tensor normed, Tensor y) {}

  private static Place place(Operands o, List<Kernel> forward) {
    long own = o.channels().get(0);
    Tensor x = OwnChannels.of(o, o.first(), own, forward);
    return new Place(x, o.like(x), OwnChannels.room(o, o.y(), own));
  }

  @Override
  public Kernel forward(Operands o) {
    List<Kernel> all = new ArrayList<>();
    Place p = place(o, all);
    Shape rows = rows(p.x());
    Tensor x = inOrder(o, p.x());
    copy(o, p.x(), x, all);
    Tensor y = inOrder(o, p.normed());
    Tensor one = o.filled(rows.dim(1), 1, DType.F32);
    Tensor zero = o.filled(rows.dim(1), 0, DType.F32);
    all.add(
        o.device()
            .norms()
            .layerNorm(Operands.plain(x, rows), one, zero, eps, Operands.plain(y, rows)));
    copy(o, y, p.normed(), all);
    end(o, p, o.vector("weight", DType.F32), o.vector("bias", DType.F32), all);
    return Kernel.each(all);
  }

  /** Scale and shift; vectors may have room for more channels. */
  private static void end(Operands o, Place p, Tensor weight, Tensor bias, List<Kernel> all) {
    Shape own = Shape.of(p.x().shape().dim(1));
    all.add(o.scaled(p.normed(), weight.view(0, own), bias.view(0, own), p.y()));
    OwnChannels.back(o, p.y(), o.y(), all);
  }

  @Override
  public void train(TrainingOperands t) {
    Operands o = t.operands();
    Device d = o.device();
    List<Kernel> forward = new ArrayList<>();
    List<Kernel> backward = new ArrayList<>();
    Place p = place(o, forward);
    long own = p.x().shape().dim(1);
    Shape rows = rows(p.x());
    Tensor x = inOrder(o, p.x());
    copy(o, p.x(), x, forward);
    Tensor y = inOrder(o, p.normed());
    Tensor weight = t.own("weight");
    Tensor given = OwnChannels.of(o, t.dy(), own, backward);
    Tensor slope = o.like(p.x()); // the gradient of what is normed
    Tensor dy = inOrder(o, slope);
    Tensor gradient = OwnChannels.room(o, t.gradient(0), own);
    Tensor dx = inOrder(o, gradient);
    TrainingKernels k =
        d.norms()
            .layerNormTraining(
                new LayerNormTraining(
                    Operands.plain(x, rows),
                    o.filled(rows.dim(1), 1, DType.F32),
                    o.filled(rows.dim(1), 0, DType.F32),
                    eps,
                    Operands.plain(y, rows),
                    Operands.plain(dy, rows),
                    Operands.plain(dx, rows),
                    o.filled(rows.dim(1), 0, DType.F32),
                    o.filled(rows.dim(1), 0, DType.F32)),
                o.arena());
    forward.add(k.forward());
    copy(o, y, p.normed(), forward);
    end(o, p, weight, t.own("bias"), forward);
    Shape each = Shape.of(p.x().shape().dim(0), own, 1, 1);
    Tensor products = o.arena().allocate(each, p.x().dtype(), d.activationLayout());
    backward.add(d.reductions().channelProducts(p.normed(), given, products));
    backward.add(d.reductions().biasBackward(products, t.gradients().of(o.node() + ".weight")));
    backward.add(d.reductions().biasBackward(given, t.gradients().of(o.node() + ".bias")));
    backward.add(o.scaled(given, weight, o.filled(own, 0, DType.F32), slope));
    copy(o, slope, dy, backward);
    backward.add(k.backward());
    copy(o, dx, gradient, backward);
    OwnChannels.back(o, gradient, t.gradient(0), backward);
    t.forward(Kernel.each(forward));
    t.backward(Kernel.each(backward));
    t.contribute(0);
  }
}
