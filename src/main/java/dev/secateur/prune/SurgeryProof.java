package dev.secateur.prune;

import dev.secateur.SecateurException;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.KeptChannels;
import dev.secateur.nn.op.ParameterCut;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Whether a network is another one without some of its filters, and nothing else: which filters
 * those are is found by comparing weights.
 */
public final class SurgeryProof {
  private SurgeryProof() {}

  /**
   * The filters and residual blocks that a network has lost.
   *
   * @param original the network as it was
   * @param pruned the one that was cut from it, not trained since
   * @throws SecateurException saying where it is no part of the original: a layer's filters are
   *     none of the original's, in their order
   */
  public static Removal removed(Model original, Model pruned) {
    Removal blocks = blocks(original.graph(), pruned.graph());
    if (!blocks.isEmpty()) {
      return blocks.beside(removed(Surgery.remove(original, blocks), pruned));
    }
    Graph graph = original.graph();
    DependencyGraph coupling = DependencyGraph.of(graph);
    Boolean[] kept = new Boolean[coupling.channels()]; // by group; null: not known yet
    Map<String, int[]> out = new LinkedHashMap<>();
    for (Node n : graph.nodes()) {
      if (!n.op().mixesChannels()) {
        continue;
      }
      int[] lost = lost(original, pruned, n, coupling, kept);
      if (lost.length > 0) {
        out.put(n.name(), lost);
      }
    }
    Removal removal = new Removal(out);
    Model expected = expected(original, removal);
    for (Map.Entry<String, HostTensor> e : expected.parameters().entrySet()) {
      HostTensor got = pruned.parameters().get(e.getKey());
      boolean same =
          got != null
              && got.shape().equals(e.getValue().shape())
              && Arrays.equals(got.data(), e.getValue().data());
      if (!same) {
        throw new SecateurException(
            e.getKey() + " is not what the original has in the filters that are left");
      }
    }
    return removal;
  }

  /** Residual blocks that are not there any more. */
  private static Removal blocks(Graph original, Graph pruned) {
    List<String> left = names(pruned);
    ResidualBlocks all = ResidualBlocks.of(original);
    Removal gone =
        ResidualBlocks.removal(all.names().stream().filter(b -> !left.contains(b)).toList());
    if (!names(Surgery.shrink(original, gone)).equals(left)) {
      throw new SecateurException("the networks have different layers");
    }
    return gone;
  }

  private static List<String> names(Graph graph) {
    return graph.nodes().stream().map(Node::name).toList();
  }

  private static Model expected(Model original, Removal removal) {
    try {
      return removal.isEmpty() ? original : Surgery.remove(original, removal);
    } catch (IllegalArgumentException e) {
      throw new SecateurException("what is gone could not go: " + e.getMessage(), e);
    }
  }

  /** Outputs of a layer that are not among those of the pruned one; notes what is known by it. */
  private static int[] lost(
      Model original, Model pruned, Node n, DependencyGraph coupling, Boolean[] kept) {
    int node = coupling.node(n.name());
    int width = coupling.width(node);
    int left = pruned.graph().shape(n.name()).size(1);
    List<Integer> gone = new ArrayList<>();
    int at = 0;
    for (int f = 0; f < width; f++) {
      int group = coupling.groupOf(coupling.first(node) + f);
      boolean may = kept[group] == null && !coupling.fixed(group);
      boolean stays =
          may
              ? at < left && alike(original, pruned, n, f, at, coupling, kept)
              : kept[group] == null || kept[group];
      kept[group] = stays;
      if (stays) {
        at++;
      } else {
        gone.add(f);
      }
    }
    if (at != left) {
      throw new SecateurException(
          n.name() + ": only " + at + " of its " + left + " filters are the original's");
    }
    return gone.stream().mapToInt(i -> i).toArray();
  }

  /** Whether an output of the original is one of the pruned network's, by weights and bias. */
  private static boolean alike(
      Model original,
      Model pruned,
      Node n,
      int f,
      int at,
      DependencyGraph coupling,
      Boolean[] kept) {
    int source = coupling.node(n.inputs().get(0));
    int first = coupling.first(source);
    int[] in =
        IntStream.range(0, coupling.width(source))
            .filter(c -> !Boolean.FALSE.equals(kept[coupling.groupOf(first + c)]))
            .toArray();
    if (in.length == 0) {
      return false; // nothing that it reads is left
    }
    Node small = pruned.graph().node(n.name());
    int[] all = IntStream.range(0, pruned.graph().shape(n.inputs().get(0)).size(1)).toArray();
    Map<String, ParameterCut> theirs = small.op().cuts(new One(all.length, all, at));
    for (Map.Entry<String, ParameterCut> e :
        n.op().cuts(new One(coupling.width(source), in, f)).entrySet()) {
      HostTensor whole = original.parameters().get(n.parameter(e.getKey()));
      HostTensor got = pruned.parameters().get(n.parameter(e.getKey()));
      ParameterCut cut = theirs.get(e.getKey());
      boolean inGroup = !nothing(e.getValue()) && !nothing(cut);
      boolean there = whole != null && got != null;
      if (there && !(inGroup && Arrays.equals(e.getValue().of(whole).data(), cut.of(got).data()))) {
        return false;
      }
    }
    return true;
  }

  /** Whether an output lies beyond the first of several groups, which stands for all. */
  private static boolean nothing(ParameterCut cut) {
    return cut.second().filter(c -> c.length == 0).isPresent();
  }

  /** A single output and what it is made of. */
  private record One(int width, int[] channels, int output) implements KeptChannels {
    @Override
    public int inputs() {
      return 1;
    }

    @Override
    public int before(int i) {
      return width;
    }

    @Override
    public int[] in(int i) {
      return channels;
    }

    @Override
    public int[] out() {
      return new int[] {output};
    }
  }

  /**
   * The original with all that belongs to some filters set to zero: what they put out and in; of
   * residual blocks all that is in their branch.
   */
  public static Model zeroed(Model original, Removal removal) {
    Map<String, ParameterCut> cuts = Surgery.cuts(original.graph(), removal);
    Map<String, HostTensor> out = new LinkedHashMap<>(original.parameters());
    cuts.forEach(
        (name, cut) -> {
          HostTensor t = out.get(name);
          if (t != null && !name.contains(".running_")) {
            out.put(name, zeroed(t, cut));
          }
        });
    Graph left = Surgery.shrink(original.graph(), removal);
    out.replaceAll(
        (name, t) ->
            left.owns(name) || name.contains(".running_")
                ? t
                : new HostTensor(t.shape(), new float[t.data().length]));
    return new Model(original.graph(), out, original.metadata());
  }

  private static HostTensor zeroed(HostTensor t, ParameterCut cut) {
    Shape s = t.shape();
    boolean[] first = marked(cut.first(), s.size(0));
    boolean[] second = new boolean[s.rank() > 1 ? s.size(1) : 1];
    Arrays.fill(second, true);
    cut.second()
        .ifPresent(
            keep -> System.arraycopy(marked(keep, second.length), 0, second, 0, second.length));
    float[] data = t.data().clone();
    int row = data.length / first.length;
    int part = row / second.length;
    for (int i = 0; i < data.length; i++) {
      if (!first[i / row] || !second[i % row / part]) {
        data[i] = 0;
      }
    }
    return new HostTensor(s, data);
  }

  private static boolean[] marked(int[] indices, int size) {
    boolean[] out = new boolean[size];
    for (int i : indices) {
      out[i] = true;
    }
    return out;
  }
}
