package dev.secateur.nn;

import dev.secateur.conformance.ReferenceLayers;
import dev.secateur.conformance.ReferenceVision;
import dev.secateur.device.Activation;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Border;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.GroupNorm;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.LocalResponseNorm;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.PRelu;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.PixelShuffle;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.ReduceChannels;
import dev.secateur.nn.op.Resize;
import dev.secateur.nn.op.SelectChannels;
import dev.secateur.nn.op.Shortcut;
import dev.secateur.nn.op.Softmax;
import dev.secateur.nn.op.Spread;
import dev.secateur.nn.op.TransposedConvolution;
import dev.secateur.nn.op.Unflatten;
import dev.secateur.tensor.Shape;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One node after another, NCHW, double precision. */
record ReferenceNetwork(Model model, int batch, byte[] pixels) {
  Map<String, double[]> run() {
    Map<String, double[]> values = new HashMap<>();
    for (Node n : model.graph().nodes()) {
      List<double[]> in = n.inputs().stream().map(values::get).toList();
      values.put(n.name(), node(n, in));
    }
    return values;
  }

  private double[] p(String name) {
    float[] data = model.parameters().get(name).data();
    double[] out = new double[data.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = data[i];
    }
    return out;
  }

  private Shape shape(String name) {
    return model.graph().shape(name).with(0, batch);
  }

  private double[] node(Node n, List<double[]> in) {
    Op op = n.op();
    Shape ys = shape(n.name());
    Shape xs = n.inputs().isEmpty() ? ys : shape(n.inputs().get(0));
    if (op instanceof Input i) {
      double[] y = new double[(int) ys.elements()];
      double[] mean = p(n.name() + ".mean");
      double[] std = p(n.name() + ".std");
      int plane = i.height() * i.width();
      for (int k = 0; k < y.length; k++) {
        int c = k / plane % i.channels();
        y[k] = ((pixels[k] & 255) - mean[c]) / std[c];
      }
      return y;
    } else if (op instanceof Convolution c) {
      Shape ws = model.parameters().get(n.name() + ".weight").shape();
      double[] w = p(n.name() + ".weight");
      return biased(n, c.bias(), ys, ReferenceLayers.convolution(c.spec(), in.get(0), xs, w, ws));
    } else if (op instanceof BatchNorm b) {
      return ReferenceLayers.batchNorm(
          in.get(0),
          xs,
          p(n.name() + ".weight"),
          p(n.name() + ".bias"),
          p(n.name() + ".running_mean"),
          p(n.name() + ".running_var"),
          b.eps());
    } else if (op instanceof Activate a) {
      return ReferenceLayers.activation(a.activation(), in.get(0));
    } else if (op instanceof Add) {
      return ReferenceLayers.add(in.get(0), in.get(1));
    } else if (op instanceof Pool pool) {
      return ReferenceLayers.pool(pool.spec(), in.get(0), xs);
    } else if (op instanceof GlobalPool g) {
      return ReferenceLayers.pool(g.window(xs), in.get(0), xs);
    } else if (op instanceof Shortcut s) {
      return ReferenceLayers.shortcut(in.get(0), xs, s.stride(), s.before(), ys);
    } else if (op instanceof Flatten || op instanceof Identity) {
      return in.get(0);
    } else if (op instanceof Linear l) {
      double[] product = ReferenceLayers.linear(in.get(0), p(n.name() + ".weight"), xs.size(1));
      return biased(n, l.bias(), ys, product);
    }
    return vision(n, in, xs, ys);
  }

  private double[] vision(Node n, List<double[]> in, Shape xs, Shape ys) {
    Op op = n.op();
    double[] x = in.get(0);
    if (op instanceof Concat) {
      return ReferenceLayers.concat(in, ys);
    } else if (op instanceof Elementwise e) {
      return ReferenceVision.elementwise(e.spec(), x);
    } else if (op instanceof Softmax) {
      return ReferenceVision.softmax(x, xs);
    } else if (op instanceof LayerNorm l) {
      return ReferenceVision.layerNorm(
          x, xs, p(n.name() + ".weight"), p(n.name() + ".bias"), l.eps());
    } else if (op instanceof Multiply) {
      return ReferenceVision.multiply(x, in.get(1));
    } else if (op instanceof SelectChannels s) {
      return ReferenceVision.selectChannels(x, xs, s.channels());
    } else if (op instanceof Pad p) {
      return ReferenceVision.pad(x, xs, p.top(), p.left(), p.value(), ys);
    } else if (op instanceof Border b) {
      return ReferenceVision.border(x, xs, b.top(), b.left(), b.kind() == Border.Kind.EDGE, ys);
    } else if (op instanceof Resize r) {
      return ReferenceVision.resize(r.spec(), x, xs);
    } else if (op instanceof TransposedConvolution t) {
      Shape ws = model.parameters().get(n.name() + ".weight").shape();
      double[] w = p(n.name() + ".weight");
      return biased(
          n, t.bias(), ys, ReferenceVision.transposedConvolution(t.spec(), x, xs, w, ws, ys));
    }
    return moved(n, x, xs, ys);
  }

  private double[] moved(Node n, double[] x, Shape xs, Shape ys) {
    Op op = n.op();
    if (op instanceof PixelShuffle p) {
      return ReferenceVision.pixelShuffle(x, p.up() ? xs : ys, p.factor(), p.up());
    } else if (op instanceof GroupNorm g) {
      return ReferenceVision.groupNorm(
          x, xs, g.count(), p(n.name() + ".weight"), p(n.name() + ".bias"), g.eps());
    } else if (op instanceof PRelu) {
      return ReferenceVision.prelu(x, xs, p(n.name() + ".weight"));
    } else if (op instanceof LocalResponseNorm l) {
      return ReferenceVision.localResponseNorm(x, xs, l.size(), l.alpha(), l.beta(), l.bias());
    } else if (op instanceof ReduceChannels r) {
      return ReferenceVision.reduceChannels(x, xs, r.kind() == PoolSpec.Kind.MAX, r.of());
    } else if (op instanceof Spread) {
      return ReferenceVision.selectChannels(x, xs, Collections.nCopies(ys.size(1), 0));
    } else if (op instanceof Unflatten) {
      return x;
    }
    throw new AssertionError("no reference for " + op);
  }

  private double[] biased(Node n, boolean bias, Shape ys, double[] y) {
    Optional<double[]> b = bias ? Optional.of(p(n.name() + ".bias")) : Optional.empty();
    return ReferenceLayers.epilogue(y, ys, b, Optional.empty(), Activation.NONE);
  }
}
