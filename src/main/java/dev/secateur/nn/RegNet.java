package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.ElementwiseSpec.Kind;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Op;
import java.util.LinkedHashMap;
import java.util.Map;

/** Radosavovic et al., arXiv 2003.13678, with torchvision's parameter names. */
final class RegNet {
  static final Map<String, Variant> VARIANTS = variants();

  private static final int QUANTUM = 8;
  private static final int STEM = 32;
  private static final Op RELU = new Activate(Activation.RELU);
  private static final Op SIGMOID = new Elementwise(ElementwiseSpec.of(Kind.SIGMOID));

  /**
   * The paper's parameters of the widths of blocks.
   *
   * @param first width
   * @param slope of the widths over the blocks
   * @param step of the widths, as a factor
   * @param group channels of a group
   * @param gated with squeeze-and-excitation, a quarter of the block's input
   */
  record Variant(int depth, int first, double slope, double step, int group, boolean gated) {}

  private RegNet() {}

  private static Map<String, Variant> variants() {
    Map<String, Variant> out = new LinkedHashMap<>();
    out.put("regnet_x_400mf", new Variant(22, 24, 24.48, 2.54, 16, false));
    out.put("regnet_x_800mf", new Variant(16, 56, 35.73, 2.28, 16, false));
    out.put("regnet_x_1_6gf", new Variant(18, 80, 34.01, 2.25, 24, false));
    out.put("regnet_x_3_2gf", new Variant(25, 88, 26.31, 2.25, 48, false));
    out.put("regnet_x_8gf", new Variant(23, 80, 49.56, 2.88, 120, false));
    out.put("regnet_x_16gf", new Variant(22, 216, 55.59, 2.1, 128, false));
    out.put("regnet_x_32gf", new Variant(23, 320, 69.86, 2.0, 168, false));
    out.put("regnet_y_400mf", new Variant(16, 48, 27.89, 2.09, 8, true));
    out.put("regnet_y_800mf", new Variant(14, 56, 38.84, 2.4, 16, true));
    out.put("regnet_y_1_6gf", new Variant(27, 48, 20.71, 2.65, 24, true));
    out.put("regnet_y_3_2gf", new Variant(21, 80, 42.63, 2.66, 24, true));
    out.put("regnet_y_8gf", new Variant(17, 192, 76.82, 2.19, 56, true));
    out.put("regnet_y_16gf", new Variant(18, 200, 106.23, 2.48, 112, true));
    out.put("regnet_y_32gf", new Variant(20, 232, 115.89, 2.53, 232, true));
    return out;
  }

  /** The width of a block, before it is made one of whole groups: the paper's equations 2 to 4. */
  private static int width(Variant v, int block) {
    double wanted = v.first() + block * v.slope();
    double steps = Math.rint(Math.log(wanted / v.first()) / Math.log(v.step()));
    return (int) Math.rint(v.first() * Math.pow(v.step(), steps) / QUANTUM) * QUANTUM;
  }

  static void add(GraphBuilder b, Variant v, int classes) {
    b.unit("stem", STEM, 3, 2, 1, RELU);
    int in = STEM;
    int before = 0;
    int stage = 0;
    int place = 0;
    for (int i = 0; i < v.depth(); i++) {
      int raw = width(v, i);
      place = raw == before ? place + 1 : 0;
      stage += place == 0 ? 1 : 0;
      before = raw;
      int group = Math.min(v.group(), raw);
      int out = GraphBuilder.divisible(raw, group);
      String p = "trunk_output.block" + stage + ".block" + stage + "-" + place;
      block(b, p, v.gated(), in, out, group, place == 0 ? 2 : 1);
      in = out;
    }
    b.head("fc", classes);
  }

  private static void block(
      GraphBuilder b, String p, boolean gated, int in, int out, int group, int stride) {
    String from = b.last;
    b.unit(p + ".f.a", out, 1, 1, 1, RELU);
    b.unit(p + ".f.b", out, 3, stride, out / group, RELU);
    if (gated) {
      b.gate(p + ".f.se", out, (int) Math.rint(0.25 * in), RELU, SIGMOID);
    }
    b.unit(p + ".f.c", out, 1, 1, 1);
    String main = b.last;
    String side = from;
    if (in != out || stride != 1) {
      b.last = from;
      b.unit(p + ".proj", out, 1, stride, 1);
      side = b.last;
    }
    b.join(p + ".add", side, main);
    b.add(p + ".activation", RELU);
  }
}
