package dev.secateur.nn.op;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.tensor.Shape;
import java.util.List;
import java.util.OptionalLong;

/** What both kinds of convolutions have in common. */
final class Filters {
  private Filters() {}

  static void write(ConvolutionSpec s, AttributeWriter to) {
    to.put("strideH", s.strideH()).put("strideW", s.strideW());
    to.put("padTop", s.padTop()).put("padLeft", s.padLeft());
    to.put("padBottom", s.padBottom()).put("padRight", s.padRight());
    to.put("dilationH", s.dilationH()).put("dilationW", s.dilationW());
    to.put("groups", s.groups());
  }

  static ConvolutionSpec read(AttributeReader a) {
    return new ConvolutionSpec(
        a.whole("strideH"),
        a.whole("strideW"),
        a.whole("padTop"),
        a.whole("padLeft"),
        a.whole("padBottom"),
        a.whole("padRight"),
        a.whole("dilationH"),
        a.whole("dilationW"),
        a.whole("groups"));
  }

  static void check(ConvolutionSpec s, Shape x, int outChannels) {
    Fit.positive(Math.min(s.strideH(), s.strideW()));
    Fit.positive(Math.min(s.dilationH(), s.dilationW()));
    if (x.dim(1) % Fit.positive(s.groups()) != 0 || outChannels % s.groups() != 0) {
      throw new IllegalArgumentException("channels are not a multiple of the groups");
    }
  }

  /** With groups, channel i of each is coupled with that of every other; depthwise, groups go. */
  static void flow(int groups, ChannelFlow flow) {
    int in = flow.width(0);
    int out = flow.width();
    if (groups > 1 && groups == in) {
      int each = out / groups;
      for (int j = 0; j < out; j++) {
        flow.tie(flow.input(0) + j / each, flow.output() + j);
      }
    } else if (groups > 1) {
      flow.tiePeriod(flow.input(0), in, in / groups);
      flow.tiePeriod(flow.output(), out, out / groups);
    }
  }

  static OptionalLong padded(int groups, List<Shape> in, List<Long> wide, long out, long multiple) {
    long own = in.get(0).dim(1);
    if (groups == 1) {
      return OptionalLong.of(Fit.up(out, multiple));
    }
    if (groups == own) { // depthwise: additional channels are additional groups
      return Fit.withRoom(out, out / own * wide.get(0));
    }
    return own == wide.get(0) && out % multiple == 0 ? OptionalLong.of(out) : OptionalLong.empty();
  }
}
