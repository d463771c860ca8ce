package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;

/** Tensors without the channels that a program has beside the network's own. */
final class OwnChannels {
  private OwnChannels() {}

  /** The own channels of a tensor, by a kernel that goes before those that read them. */
  static Tensor of(Operands o, Tensor t, long own, List<Kernel> before) {
    Tensor narrow = room(o, t, own);
    if (narrow != t) {
      before.add(o.device().moves().sliceChannels(o.image(t), 0, own, o.image(narrow)));
    }
    return narrow;
  }

  /** Memory for the own channels of a tensor: itself where it has no others. */
  static Tensor room(Operands o, Tensor t, long own) {
    Shape s = t.shape();
    return s.dim(1) == own ? t : o.arena().allocate(s.with(1, own), t.dtype(), t.layout());
  }

  /** Puts own channels where a tensor has more. */
  static void back(Operands o, Tensor narrow, Tensor to, List<Kernel> behind) {
    if (narrow != to) {
      long own = narrow.shape().dim(1);
      behind.add(o.device().moves().sliceChannels(o.image(narrow), 0, own, o.image(to)));
    }
  }
}
