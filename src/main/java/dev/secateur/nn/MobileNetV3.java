package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.ElementwiseSpec.Kind;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Op;
import java.util.List;
import java.util.Map;

/** Howard et al., arXiv 1905.02244, tables 1 and 2, width 1, with torchvision's parameter names. */
final class MobileNetV3 {
  static final Map<String, List<Block>> VARIANTS =
      Map.of("mobilenet_v3_large", large(), "mobilenet_v3_small", small());

  private static final Op HARD_SWISH = new Elementwise(ElementwiseSpec.of(Kind.HARD_SWISH));
  private static final Op HARD_SIGMOID =
      new Elementwise(new ElementwiseSpec(Kind.HARD_SIGMOID, 1f / 6, 0.5f));
  private static final Op RELU = new Activate(Activation.RELU);

  /** A row of the table: with squeeze-and-excitation or not, h-swish or ReLU. */
  record Block(int kernel, int wide, int out, boolean squeeze, boolean hard, int stride) {}

  private MobileNetV3() {}

  private static List<Block> large() {
    return List.of(
        new Block(3, 16, 16, false, false, 1),
        new Block(3, 64, 24, false, false, 2),
        new Block(3, 72, 24, false, false, 1),
        new Block(5, 72, 40, true, false, 2),
        new Block(5, 120, 40, true, false, 1),
        new Block(5, 120, 40, true, false, 1),
        new Block(3, 240, 80, false, true, 2),
        new Block(3, 200, 80, false, true, 1),
        new Block(3, 184, 80, false, true, 1),
        new Block(3, 184, 80, false, true, 1),
        new Block(3, 480, 112, true, true, 1),
        new Block(3, 672, 112, true, true, 1),
        new Block(5, 672, 160, true, true, 2),
        new Block(5, 960, 160, true, true, 1),
        new Block(5, 960, 160, true, true, 1));
  }

  private static List<Block> small() {
    return List.of(
        new Block(3, 16, 16, true, false, 2),
        new Block(3, 72, 24, false, false, 2),
        new Block(3, 88, 24, false, false, 1),
        new Block(5, 96, 40, true, true, 2),
        new Block(5, 240, 40, true, true, 1),
        new Block(5, 240, 40, true, true, 1),
        new Block(5, 120, 48, true, true, 1),
        new Block(5, 144, 48, true, true, 1),
        new Block(5, 288, 96, true, true, 2),
        new Block(5, 576, 96, true, true, 1),
        new Block(5, 576, 96, true, true, 1));
  }

  static void add(GraphBuilder b, String name, int classes) {
    List<Block> blocks = VARIANTS.get(name);
    b.norms(1e-3f, 0.01f);
    b.unit("features.0", 16, 3, 2, 1, HARD_SWISH);
    int in = 16;
    for (int i = 0; i < blocks.size(); i++) {
      Block block = blocks.get(i);
      String p = "features." + (i + 1);
      Op act = block.hard() ? HARD_SWISH : RELU;
      String from = b.last;
      int step = 0;
      int wide = block.wide();
      if (wide != in) {
        b.unit(p + ".block." + step++, wide, 1, 1, 1, act);
      }
      b.unit(p + ".block." + step++, wide, block.kernel(), block.stride(), wide, act);
      if (block.squeeze()) {
        int squeeze = GraphBuilder.divisible(wide / 4, 8);
        b.gate(p + ".block." + step++, wide, squeeze, RELU, HARD_SIGMOID);
      }
      b.unit(p + ".block." + step, block.out(), 1, 1, 1);
      if (block.stride() == 1 && in == block.out()) {
        b.join(p + ".add", from, b.last);
      }
      in = block.out();
    }
    b.unit("features." + (blocks.size() + 1), 6 * in, 1, 1, 1, HARD_SWISH);
    b.head("classifier.0", in == 160 ? 1280 : 1024);
    b.add("classifier.1", HARD_SWISH);
    b.add("classifier.3", new Linear(classes, true));
  }
}
