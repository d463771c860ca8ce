package dev.secateur.prune.criterion;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How strongly a filter's channel is read: the L2 norm of the weights of all convolutions and
 * linear layers that take it in, each output times what the batch norm right behind it multiplies
 * by. It says how far the next layer's normed output moves when the channel moves by one.
 */
final class Outgoing implements Criterion {
  @Override
  public String name() {
    return "outgoing";
  }

  @Override
  public boolean needsData() {
    return false;
  }

  /** Over the layer's mean, as the norms of a filter's own weights. */
  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    Map<String, float[]> out = new LinkedHashMap<>();
    norms(net, layers).forEach((layer, of) -> out.put(layer, WeightCriterion.overMean(of)));
    return out;
  }

  /** By layer, one norm a filter; 0 where nothing with weights reads the channel. */
  static Map<String, double[]> norms(Network net, List<String> layers) {
    Readers readers = new Readers(net);
    Map<String, double[]> out = new LinkedHashMap<>();
    for (String layer : layers) {
      double[] squares = new double[net.graph().shape(layer).size(1)];
      for (int f = 0; f < squares.length; f++) {
        squares[f] = Math.sqrt(readers.squares(net.graph().node(layer), f));
      }
      out.put(layer, squares);
    }
    return out;
  }

  /** Finds who reads a channel; weights are fetched once a reader. */
  private static final class Readers {
    private final Network net;
    private final Graph graph;

    /** By reader, the squared norm of the weights of each input channel of a group. */
    private final Map<String, double[]> byInput = new HashMap<>();

    /** By node and channel: sums may be reached on several ways. */
    private final Map<String, double[]> known = new HashMap<>();

    Readers(Network net) {
      this.net = net;
      this.graph = net.graph();
    }

    double squares(Node from, int channel) {
      double[] of =
          known.computeIfAbsent(
              from.name(),
              n -> {
                double[] fresh = new double[graph.shape(n).size(1)];
                Arrays.fill(fresh, Double.NaN);
                return fresh;
              });
      if (Double.isNaN(of[channel])) {
        double sum = 0;
        for (Node next : graph.consumers(from.name())) {
          sum += through(next, from, channel);
        }
        of[channel] = sum;
      }
      return of[channel];
    }

    private double through(Node n, Node from, int channel) {
      Op op = n.op();
      int width = graph.shape(from.name()).size(1);
      if (op instanceof Op.Linear) {
        return inputs(n, 1)[channel];
      }
      if (op instanceof Op.Convolution c) {
        return inputs(n, c.spec().groups())[channel % (width / c.spec().groups())];
      }
      if (op instanceof Op.TransposedConvolution t) {
        return ofTransposed(n)[channel];
      }
      if (op instanceof Op.Concat) {
        double sum = 0;
        int at = 0;
        for (String input : n.inputs()) { // the same node may be there twice
          sum += input.equals(from.name()) ? squares(n, at + channel) : 0;
          at += graph.shape(input).size(1);
        }
        return sum;
      }
      if (op instanceof Op.SelectChannels s) {
        double sum = 0;
        for (int j = 0; j < s.channels().size(); j++) {
          sum += s.channels().get(j) == channel ? squares(n, j) : 0;
        }
        return sum;
      }
      if (op instanceof Op.Flatten) {
        int each = graph.shape(n.name()).size(1) / width;
        double sum = 0;
        for (int i = 0; i < each; i++) {
          sum += squares(n, channel * each + i);
        }
        return sum;
      }
      return squares(n, op instanceof Op.Shortcut s ? s.before() + channel : channel);
    }

    /** Of a layer with weights (K, C/groups, ...). */
    private double[] inputs(Node reader, int groups) {
      return byInput.computeIfAbsent(
          reader.name(),
          name -> {
            Tensor weight = net.parameter(name + ".weight");
            float[] w = net.device().downloadFloats(weight);
            int outputs = weight.shape().size(0);
            int inputs = weight.shape().size(1);
            double[] factor = factors(reader, outputs);
            double[] out = new double[inputs];
            int places = w.length / outputs / inputs;
            for (int k = 0; k < outputs; k++) {
              for (int i = 0; i < inputs * places; i++) {
                double v = w[k * inputs * places + i] * factor[k];
                out[i / places] += v * v / groups;
              }
            }
            return out;
          });
    }

    /** Weights (C, K/groups, R, S): an input's are in a row. */
    private double[] ofTransposed(Node reader) {
      return byInput.computeIfAbsent(
          reader.name(),
          name -> {
            float[] w = net.device().downloadFloats(net.parameter(name + ".weight"));
            double[] out = new double[graph.shape(reader.inputs().get(0)).size(1)];
            for (int i = 0; i < w.length; i++) {
              out[i / (w.length / out.length)] += (double) w[i] * w[i];
            }
            return out;
          });
    }

    /** What the batch norm behind multiplies each output by. */
    private double[] factors(Node reader, int outputs) {
      double[] out = new double[outputs];
      List<Node> next = graph.consumers(reader.name());
      if (next.size() == 1 && next.get(0).op() instanceof Op.BatchNorm b) {
        String norm = next.get(0).name();
        float[] scale = net.device().downloadFloats(net.parameter(norm + ".weight"));
        float[] variance = net.device().downloadFloats(net.parameter(norm + ".running_var"));
        for (int k = 0; k < outputs; k++) {
          out[k] = scale[k] / Math.sqrt(variance[k] + b.eps());
        }
      } else {
        Arrays.fill(out, 1);
      }
      return out;
    }
  }
}
