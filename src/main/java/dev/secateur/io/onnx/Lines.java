package dev.secateur.io.onnx;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Border;
import dev.secateur.nn.op.FilterBank;
import dev.secateur.nn.op.LocalResponseNorm;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.PixelShuffle;
import dev.secateur.nn.op.Pool;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.Arrays;

/** Networks over (N,C,L), which are here over images of height 1. */
public final class Lines {
  private Lines() {}

  /**
   * Whether a model came as one over (N,C,L) and all of it is: then it is written as that. One that
   * sees a length as an image further on is written with images of height 1 in front of that.
   */
  public static boolean in(Model model) {
    String layout = model.metadata().getOrDefault(OnnxImport.LAYOUT, "");
    Graph g = model.graph();
    return (layout.equals("NCL") || layout.equals("NLC"))
        && g.nodes().stream()
            .allMatch(
                n -> (g.shape(n.name()).rank() == 2 || g.shape(n.name()).dim(2) == 1) && line(n));
  }

  /** A parameter without its height, which is the second to last of three axes or more. */
  public static HostTensor parameter(HostTensor t) {
    long[] dims = t.shape().toArray();
    if (dims.length < 3) {
      return t;
    }
    long[] out = Arrays.copyOf(dims, dims.length - 1);
    out[out.length - 1] = dims[dims.length - 1];
    return new HostTensor(Shape.of(out), t.data());
  }

  /** Whether an operation has a form without height. */
  private static boolean line(Node n) {
    Op op = n.op();
    if (op instanceof FilterBank f) {
      ConvolutionSpec s = f.spec();
      return f.kernelH() == 1 && s.padTop() == 0 && s.padBottom() == 0;
    }
    if (op instanceof Pool p) {
      PoolSpec s = p.spec();
      return s.kernelH() == 1 && s.padTop() == 0 && s.padBottom() == 0;
    }
    if (op instanceof Pad p) {
      return p.top() == 0 && p.bottom() == 0;
    }
    if (op instanceof Border b) {
      return b.top() == 0 && b.bottom() == 0;
    }
    return !(op instanceof PixelShuffle || op instanceof LocalResponseNorm);
  }
}
