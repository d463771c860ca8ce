package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Op;

/** Sandler et al., arXiv 1801.04381, width 1, with torchvision's parameter names. */
final class MobileNetV2 {
  /** Expansion, channels, blocks, stride of the first block: the paper's table 2. */
  private static final int[][] STAGES = {
    {1, 16, 1, 1},
    {6, 24, 2, 2},
    {6, 32, 3, 2},
    {6, 64, 4, 2},
    {6, 96, 3, 1},
    {6, 160, 3, 2},
    {6, 320, 1, 1}
  };

  private static final Op RELU6 = new Activate(Activation.RELU6);

  private MobileNetV2() {}

  static void add(GraphBuilder b, int classes) {
    b.unit("features.0", 32, 3, 2, 1, RELU6);
    int in = 32;
    int index = 1;
    for (int[] stage : STAGES) {
      for (int i = 0; i < stage[2]; i++) {
        String p = "features." + index++;
        int stride = i == 0 ? stage[3] : 1;
        int wide = in * stage[0];
        String from = b.last;
        int step = 0;
        if (stage[0] != 1) {
          b.unit(p + ".conv." + step++, wide, 1, 1, 1, RELU6);
        }
        b.unit(p + ".conv." + step++, wide, 3, stride, wide, RELU6);
        b.conv(p + ".conv." + step++, stage[1], 1, 1);
        b.norm(p + ".conv." + step);
        if (stride == 1 && in == stage[1]) {
          b.join(p + ".add", from, b.last);
        }
        in = stage[1];
      }
    }
    b.unit("features." + index, 1280, 1, 1, 1, RELU6);
    b.head("classifier.1", classes);
  }
}
