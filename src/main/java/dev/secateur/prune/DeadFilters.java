package dev.secateur.prune;

import dev.secateur.device.Device;
import dev.secateur.nn.ChannelRoutes;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Op;
import dev.secateur.prune.criterion.Firing;
import dev.secateur.prune.criterion.ScoringData;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.DoubleUnaryOperator;

/**
 * Filters whose channel is the same number everywhere, so that they can go without a change of what
 * the network computes: those that never fire (a ReLU behind them gives 0 on every image looked at)
 * and those whose batch norm has the scale 0. A constant other than 0 is folded into what reads the
 * channel: the reader's bias, or the running mean of the batch norm behind it.
 *
 * <p>Left alone are filters that are coupled with others, constants other than 0 that reach a
 * convolution with padding (its border would change) or an operation whose answer is not known
 * here, and the last filter of a layer.
 */
public final class DeadFilters {
  /** Of a batch norm; what it scales is of unit variance, so less than this is rounding. */
  private static final float NO_SCALE = 1e-7f;

  /** What becomes of them. */
  public enum Rule {
    /** They go before filters are ranked, and are counted apart. */
    FIRST,

    /** They are ranked as all others. */
    RANK;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private final Graph graph;
  private final Removal removal;

  /** What the constants put into their readers: by convolution or linear layer, by output. */
  private final Map<String, double[]> folded;

  private DeadFilters(Graph graph, Removal removal, Map<String, double[]> folded) {
    this.graph = graph;
    this.removal = removal;
    this.folded = folded;
  }

  /** None in a network. */
  public static DeadFilters none(Graph graph) {
    return new DeadFilters(graph, Removal.NONE, Map.of());
  }

  /**
   * @param groups those that may go
   * @param data images that decide whether a filter fires; without them batch norms alone say which
   *     are dead
   */
  static DeadFilters find(Network net, ChannelGroups groups, Optional<ScoringData> data) {
    return new Search(net, groups, data).found();
  }

  /** Filters before the removal. */
  public Removal removal() {
    return removal;
  }

  /**
   * The network without them; a new one on the same device.
   *
   * @param net the one in which they were found
   */
  Network removedFrom(Network net) {
    Network out = Surgery.remove(net, removal);
    folded.forEach((reader, sums) -> fold(out, reader, sums));
    return out;
  }

  private void fold(Network out, String reader, double[] sums) {
    Device device = out.device();
    Tensor into =
        sink(graph, graph.node(reader))
            .map(out::parameter)
            .orElseThrow(() -> new IllegalStateException(reader));
    float[] now = device.downloadFloats(into);
    int[] left = removal.left(reader, sums.length);
    int sign = ownBias(graph.node(reader)) ? 1 : -1;
    for (int k = 0; k < now.length; k++) {
      now[k] += (float) (sign * sums[left[k]]);
    }
    device.upload(now, into);
  }

  private static boolean ownBias(Node reader) {
    return reader.op() instanceof Convolution c && c.bias()
        || reader.op() instanceof Linear l && l.bias();
  }

  /** The parameter that takes a constant. */
  private static Optional<String> sink(Graph graph, Node reader) {
    if (ownBias(reader)) {
      return Optional.of(reader.parameter("bias"));
    }
    List<Node> next = graph.consumers(reader.name());
    return next.size() == 1 && next.get(0).op() instanceof BatchNorm
        ? Optional.of(next.get(0).parameter("running_mean"))
        : Optional.empty();
  }

  /** One look at a network. */
  private static final class Search {
    private final Network net;
    private final Graph graph;
    private final ChannelGroups groups;
    private final Optional<ScoringData> data;
    private final Map<String, float[]> downloaded = new HashMap<>();
    private final Map<String, double[]> folded = new LinkedHashMap<>();

    private final Map<String, ChannelRoutes> routes = new HashMap<>();

    Search(Network net, ChannelGroups groups, Optional<ScoringData> data) {
      this.net = net;
      this.graph = net.graph();
      this.groups = groups;
      this.data = data;
    }

    DeadFilters found() {
      Map<String, boolean[]> single = groups.uncoupled();
      Map<String, boolean[]> fires =
          data.map(d -> Firing.of(net, Firing.rectified(graph, single.keySet()), d))
              .orElse(Map.of());
      Map<String, int[]> gone = new LinkedHashMap<>();
      single.forEach(
          (layer, own) -> {
            List<Integer> dead = new ArrayList<>();
            for (int f = 0; f < own.length && dead.size() < own.length - 1; f++) {
              boolean silent = fires.containsKey(layer) && !fires.get(layer)[f];
              if (own[f] && removable(layer, f, silent)) {
                dead.add(f);
              }
            }
            if (!dead.isEmpty()) {
              gone.put(layer, dead.stream().mapToInt(i -> i).toArray());
            }
          });
      return new DeadFilters(graph, new Removal(gone), folded);
    }

    /** Takes note of what the constants put into their readers where it can go. */
    private boolean removable(String layer, int filter, boolean silent) {
      Map<String, double[]> own = new HashMap<>();
      boolean constant = follow(graph.node(layer), filter, OptionalDouble.empty(), silent, own);
      if (constant) {
        own.forEach((reader, sums) -> folded.merge(reader, sums, Search::plus));
      }
      return constant;
    }

    private static double[] plus(double[] a, double[] b) {
      double[] out = a.clone();
      for (int i = 0; i < out.length; i++) {
        out[i] += b[i];
      }
      return out;
    }

    /**
     * Follows a channel from a node to all that read it.
     *
     * @param value what it is everywhere, where that is known
     * @param silent it is 0 behind the first activation
     * @return whether it is constant wherever it is read, and every reader can do without
     */
    private boolean follow(
        Node from, int channel, OptionalDouble value, boolean silent, Map<String, double[]> into) {
      List<Node> next = graph.consumers(from.name());
      if (next.isEmpty() || from.name().equals(graph.output().name())) {
        return false;
      }
      boolean all = true;
      for (Node n : next) {
        all &= pass(n, from, channel, value, silent, into);
      }
      return all;
    }

    private boolean pass(
        Node n,
        Node from,
        int channel,
        OptionalDouble value,
        boolean silent,
        Map<String, double[]> into) {
      Op op = n.op();
      if (graph.shares(n)) {
        return false; // it is used elsewhere too
      }
      if (op instanceof BatchNorm b) {
        float scale = parameter(n, "weight")[channel];
        double shift = parameter(n, "bias")[channel];
        if (Math.abs(scale) < NO_SCALE) {
          return follow(n, channel, OptionalDouble.of(shift), silent, into);
        }
        double mean = parameter(n, "running_mean")[channel];
        double deviation = Math.sqrt(parameter(n, "running_var")[channel] + b.eps());
        return follow(
            n, channel, map(value, v -> scale * (v - mean) / deviation + shift), silent, into);
      }
      if (op instanceof Activate a) {
        OptionalDouble out =
            silent
                ? OptionalDouble.of(0)
                : value.isEmpty() ? value : a.constant(value.getAsDouble());
        return out.isPresent() && follow(n, channel, out, false, into);
      }
      if (value.isEmpty()) {
        return false;
      }
      double v = value.getAsDouble();
      if (n.op().mixesChannels()) {
        return read(n, channel, v, into);
      }
      OptionalDouble out = op.constant(v);
      if (out.isEmpty()) {
        return false;
      }
      boolean all = true;
      ChannelRoutes to = routes.computeIfAbsent(n.name(), k -> ChannelRoutes.of(graph, n));
      for (int c : to.from(from.name(), channel)) {
        all &= follow(n, c, out, false, into);
      }
      return all;
    }

    private boolean read(Node reader, int channel, double value, Map<String, double[]> into) {
      if (reader.op().groups() > 1) {
        return false;
      }
      if (value == 0) {
        return true;
      }
      boolean inside =
          reader.op() instanceof Linear
              || reader.op() instanceof Convolution c && !c.spec().padded();
      if (!inside || sink(graph, reader).isEmpty()) {
        return false;
      }
      Tensor weight = net.parameter(reader.parameter("weight"));
      float[] w = parameter(reader, "weight");
      int outputs = weight.shape().size(0);
      int inputs = weight.shape().size(1);
      int places = w.length / outputs / inputs;
      double[] sums = new double[outputs];
      for (int k = 0; k < outputs; k++) {
        for (int i = 0; i < places; i++) {
          sums[k] += value * w[(k * inputs + channel) * places + i];
        }
      }
      into.merge(reader.name(), sums, Search::plus);
      return true;
    }

    private float[] parameter(Node n, String part) {
      return downloaded.computeIfAbsent(
          n.parameter(part), name -> net.device().downloadFloats(net.parameter(name)));
    }

    private static OptionalDouble map(OptionalDouble value, DoubleUnaryOperator f) {
      return value.isPresent() ? OptionalDouble.of(f.applyAsDouble(value.getAsDouble())) : value;
    }
  }
}
