package dev.secateur.prune.criterion;

import dev.secateur.nn.ChannelRoutes;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.TransposedConvolution;
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

    private final Map<String, ChannelRoutes> routes = new HashMap<>();

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
      if (op instanceof Linear) {
        return inputs(n, 1)[channel];
      }
      if (op instanceof Convolution c) {
        return inputs(n, c.spec().groups())[channel % (width / c.spec().groups())];
      }
      if (op instanceof TransposedConvolution t) {
        return ofTransposed(n)[channel];
      }
      double sum = 0;
      for (int c :
          routes
              .computeIfAbsent(n.name(), k -> ChannelRoutes.of(graph, n))
              .from(from.name(), channel)) {
        sum += squares(n, c);
      }
      return sum;
    }

    /** Of a layer with weights (K, C/groups, ...). */
    private double[] inputs(Node reader, int groups) {
      return byInput.computeIfAbsent(
          reader.name(),
          name -> {
            Tensor weight = net.parameter(reader.parameter("weight"));
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
            float[] w = net.device().downloadFloats(net.parameter(reader.parameter("weight")));
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
      if (next.size() == 1 && next.get(0).op() instanceof BatchNorm b) {
        Node norm = next.get(0);
        float[] scale = net.device().downloadFloats(net.parameter(norm.parameter("weight")));
        float[] variance =
            net.device().downloadFloats(net.parameter(norm.parameter("running_var")));
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
