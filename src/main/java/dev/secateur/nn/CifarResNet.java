package dev.secateur.nn;

import dev.secateur.nn.op.Shortcut;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * He et al., arXiv 1512.03385, section 4.2, with the parameter names of
 * akamaster/pytorch_resnet_cifar10.
 */
final class CifarResNet {
  static final Map<Integer, int[]> BLOCKS = blocks();

  private CifarResNet() {}

  private static Map<Integer, int[]> blocks() {
    Map<Integer, int[]> out = new LinkedHashMap<>();
    for (int depth : new int[] {8, 14, 20, 32, 44, 56, 110}) {
      int n = (depth - 2) / 6;
      out.put(depth, new int[] {n, n, n});
    }
    return out;
  }

  static void add(GraphBuilder b, int[] blocks, boolean optionB, int classes) {
    b.conv("conv1", 16, 3, 1);
    b.norm("bn1");
    b.relu("relu1");
    int in = 16;
    for (int s = 0; s < 3; s++) {
      int out = 16 << s;
      for (int i = 0; i < blocks[s]; i++) {
        String p = "layer" + (s + 1) + "." + i;
        int stride = s > 0 && i == 0 ? 2 : 1;
        String from = b.last;
        b.conv(p + ".conv1", out, 3, stride);
        b.norm(p + ".bn1");
        b.relu(p + ".relu1");
        b.conv(p + ".conv2", out, 3, 1);
        b.norm(p + ".bn2");
        String main = b.last;
        String side = from;
        if (in != out && optionB) {
          b.last = from;
          b.conv(p + ".shortcut.0", out, 1, stride);
          b.norm(p + ".shortcut.1");
          side = b.last;
        } else if (in != out) {
          b.last = from;
          int pad = (out - in) / 2;
          b.add(p + ".shortcut", new Shortcut(stride, pad, out - in - pad));
          side = b.last;
        }
        b.join(p + ".add", main, side);
        b.relu(p + ".relu2");
        in = out;
      }
    }
    b.head("linear", classes);
  }
}
