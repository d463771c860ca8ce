package dev.secateur.bench;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.io.Models;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** What a step of a program computes, in a few words. */
final class KernelNames {
  private KernelNames() {}

  /** "conv 3x3/2 +bn +relu"; views of the result are left out. */
  static String of(List<Node> nodes) {
    return nodes.isEmpty()
        ? "copy"
        : nodes.stream()
            .filter(n -> n == nodes.get(0) || !view(n.op()))
            .map(n -> name(n.op()))
            .collect(Collectors.joining(" +"));
  }

  private static boolean view(Op op) {
    return op instanceof Op.Identity || op instanceof Op.Flatten;
  }

  private static String name(Op op) {
    if (op instanceof Op.Convolution c) {
      return "conv " + window(c.kernelH(), c.kernelW(), c.spec());
    }
    if (op instanceof Op.TransposedConvolution t) {
      return "transposed conv " + window(t.kernelH(), t.kernelW(), t.spec());
    }
    if (op instanceof Op.BatchNorm) {
      return "bn";
    }
    if (op instanceof Op.Activate a) {
      return lower(a.activation());
    }
    if (op instanceof Op.Elementwise e) {
      return lower(e.spec().kind());
    }
    if (op instanceof Op.Pool p) {
      PoolSpec s = p.spec();
      return lower(s.kind()) + " pool " + s.kernelH() + "x" + s.kernelW() + "/" + s.strideH();
    }
    if (op instanceof Op.GlobalPool g) {
      return "global " + lower(g.kind()) + " pool";
    }
    return lower(Models.type(op));
  }

  private static String window(int height, int width, ConvolutionSpec spec) {
    return height
        + "x"
        + width
        + (spec.strideH() == 1 ? "" : "/" + spec.strideH())
        + (spec.groups() == 1 ? "" : " groups " + spec.groups());
  }

  private static String lower(Object name) {
    return name.toString().toLowerCase(Locale.ROOT).replace('_', ' ');
  }
}
