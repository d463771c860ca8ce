package dev.secateur.nn.op;

import dev.secateur.device.Activation;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** y[:, j] = x[:, channels[j]]: slices, splits and shuffles of channels. */
public record SelectChannels(List<Integer> channels) implements Op {
  static final OpType<SelectChannels> TYPE =
      new OpType<>(
          "SelectChannels",
          SelectChannels.class,
          (op, to) -> to.put("channels", op.channels),
          a -> new SelectChannels(a.wholes("channels")));

  public SelectChannels {
    channels = List.copyOf(channels);
  }

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "selectchannels";
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    for (int c : channels) {
      if (c < 0 || c >= x.dim(1)) {
        throw new IllegalArgumentException("there is no channel " + c);
      }
    }
    return x.with(1, channels.size());
  }

  @Override
  public void flow(ChannelFlow flow) {
    for (int j = 0; j < channels.size(); j++) {
      flow.tie(flow.input(0) + channels.get(j), flow.output() + j);
    }
  }

  @Override
  public SelectChannels kept(KeptChannels kept) {
    int[] x = kept.in(0);
    return new SelectChannels(
        IntStream.of(kept.out()).mapToObj(j -> Arrays.binarySearch(x, channels.get(j))).toList());
  }

  @Override
  public SelectChannels typical(int before, int in, int out) {
    return new SelectChannels(
        IntStream.range(0, out).mapToObj(j -> inOrder() ? j : in - 1 - j % in).toList());
  }

  /** Whether the channels are neighbours, which a device may copy faster. */
  private boolean inOrder() {
    return IntStream.range(1, channels.size())
        .allMatch(j -> channels.get(j) == channels.get(j - 1) + 1);
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(Fit.up(out, multiple));
  }

  @Override
  public SelectChannels widened(int before, int in, int out) {
    if (channels.size() >= out) {
      return this;
    }
    List<Integer> list = new ArrayList<>(channels);
    LongStream.range(list.size(), out).forEach(j -> list.add(-1));
    return new SelectChannels(list);
  }

  @Override
  public Kernel forward(Operands o) {
    return select(o, o.first(), channels, o.y());
  }

  /** y[:, j] = x[:, channels[j]], 0 where the index is -1. */
  private static Kernel select(Operands o, Tensor x, List<Integer> channels, Tensor y) {
    int from = channels.get(0);
    int count = 0;
    while (count < channels.size() && from >= 0 && channels.get(count) == from + count) {
      count++;
    }
    if (count > 0 && channels.subList(count, channels.size()).stream().allMatch(c -> c < 0)) {
      return o.device().moves().sliceChannels(o.image(x), from, count, o.image(y));
    }
    Tensor list = o.arena().allocate(Shape.of(channels.size()), DType.I32, Layout.PLAIN);
    o.device().upload(channels.stream().mapToInt(i -> i).toArray(), list);
    return o.device().moves().selectChannels(x, list, y);
  }

  /**
   * dx[:, c] = Σ over j with channels[j] = c of dy[:, j]: the k-th occurrences of all channels are
   * one choice of channels of dy, and these are added up. Mostly no channel occurs twice.
   */
  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    List<Integer[]> rounds = new ArrayList<>();
    int[] seen = new int[dx.shape().size(1)];
    for (int j = 0; j < channels.size(); j++) {
      int c = channels.get(j);
      if (c < 0) {
        continue;
      }
      if (seen[c] == rounds.size()) {
        Integer[] none = new Integer[seen.length];
        Arrays.fill(none, -1);
        rounds.add(none);
      }
      rounds.get(seen[c]++)[c] = j;
    }
    Kernel first = select(o, dy, List.of(rounds.get(0)), dx);
    if (rounds.size() == 1) {
      return first;
    }
    List<Kernel> all = new ArrayList<>(List.of(first));
    Tensor more = o.arena().allocate(dx.shape(), dx.dtype(), dx.layout());
    for (Integer[] round : rounds.subList(1, rounds.size())) {
      all.add(select(o, dy, List.of(round), more));
      all.add(o.device().pointwise().add(dx, more, Activation.NONE, dx));
    }
    return Kernel.each(all);
  }
}
