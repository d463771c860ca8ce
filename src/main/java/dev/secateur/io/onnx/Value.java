package dev.secateur.io.onnx;

import java.util.Arrays;
import java.util.Optional;

/** What an ONNX tensor is to the importer. */
sealed interface Value permits Constant, Value.Features, Value.Erf, Value.Moment, Value.Opaque {

  /**
   * The output of a node, seen through a view, after y = scale x + shift a channel.
   *
   * @param affine not yet put into the graph: folded into what made the features where possible
   * @param sole whether nothing else reads the node's output
   */
  record Features(String node, View view, Optional<Affine> affine, boolean sole) implements Value {
    Features through(View other) {
      return new Features(node, other, affine, sole);
    }

    boolean sameAs(Features o) {
      return node.equals(o.node) && view.alike(o.view);
    }
  }

  /** Nothing is known but that a node that is carried along makes it, or an input. */
  record Opaque() implements Value {}

  /** {@code scale (plus + erf(x / sqrt 2))}, on the way to GELU. */
  record Erf(Features x, double plus, double scale) implements Value {}

  /** A step of layer norm written out, over the channels of {@code x}. */
  record Moment(Kind kind, Features x, double eps) implements Value {
    enum Kind {
      MEAN,
      CENTRED,
      SQUARED,
      VARIANCE,
      DEVIATION
    }
  }

  /** y = scale x + shift, each one number a channel of the node. */
  record Affine(double[] scale, double[] shift) {
    Affine then(Affine next) {
      double[] a = new double[scale.length];
      double[] b = new double[scale.length];
      for (int i = 0; i < a.length; i++) {
        a[i] = scale[i] * next.scale[i];
        b[i] = shift[i] * next.scale[i] + next.shift[i];
      }
      return new Affine(a, b);
    }

    static Affine uniform(int channels, double scale, double shift) {
      double[] a = new double[channels];
      double[] b = new double[channels];
      Arrays.fill(a, scale);
      Arrays.fill(b, shift);
      return new Affine(a, b);
    }

    /** Whether all channels have about this scale and shift. */
    boolean is(double wantedScale, double wantedShift) {
      for (int i = 0; i < scale.length; i++) {
        if (Math.abs(scale[i] - wantedScale) > 2e-6 * Math.max(1e-3, Math.abs(wantedScale))
            || Math.abs(shift[i] - wantedShift) > 1e-6) {
          return false;
        }
      }
      return true;
    }

    /** The one scale of all channels, where there is no shift. */
    Optional<Double> factor() {
      return is(scale[0], 0) ? Optional.of(scale[0]) : Optional.empty();
    }
  }
}
