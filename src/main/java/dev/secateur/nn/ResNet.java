package dev.secateur.nn;

import dev.secateur.device.PoolSpec;
import dev.secateur.nn.op.Pool;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * He et al., arXiv 1512.03385; ResNeXt: Xie et al., arXiv 1611.05431; wide: Zagoruyko and
 * Komodakis, arXiv 1605.07146. Parameter names are torchvision's.
 */
final class ResNet {
  static final Map<String, Variant> VARIANTS = variants();

  /**
   * @param blocks by stage
   * @param groups of the 3x3 convolutions
   * @param widthPerGroup of the first stage
   */
  record Variant(int[] blocks, boolean bottleneck, int groups, int widthPerGroup) {}

  private ResNet() {}

  private static Map<String, Variant> variants() {
    int[] fifty = {3, 4, 6, 3};
    int[] hundred = {3, 4, 23, 3};
    Map<String, Variant> out = new LinkedHashMap<>();
    out.put("resnet18", new Variant(new int[] {2, 2, 2, 2}, false, 1, 64));
    out.put("resnet34", new Variant(fifty, false, 1, 64));
    out.put("resnet50", new Variant(fifty, true, 1, 64));
    out.put("resnet101", new Variant(hundred, true, 1, 64));
    out.put("resnet152", new Variant(new int[] {3, 8, 36, 3}, true, 1, 64));
    out.put("resnext50_32x4d", new Variant(fifty, true, 32, 4));
    out.put("resnext101_32x8d", new Variant(hundred, true, 32, 8));
    out.put("resnext101_64x4d", new Variant(hundred, true, 64, 4));
    out.put("wide_resnet50_2", new Variant(fifty, true, 1, 128));
    out.put("wide_resnet101_2", new Variant(hundred, true, 1, 128));
    return out;
  }

  static void add(GraphBuilder b, Variant v, int classes) {
    b.conv("conv1", 64, 7, 2);
    b.norm("bn1");
    b.relu("relu");
    b.add("maxpool", new Pool(PoolSpec.square(PoolSpec.Kind.MAX, 3, 2, 1)));
    int in = 64;
    for (int s = 0; s < 4; s++) {
      int width = (64 << s) * v.widthPerGroup() / 64 * v.groups();
      int out = v.bottleneck() ? 256 << s : width;
      for (int i = 0; i < v.blocks()[s]; i++) {
        String p = "layer" + (s + 1) + "." + i;
        int stride = s > 0 && i == 0 ? 2 : 1;
        String from = b.last;
        b.conv(p + ".conv1", width, v.bottleneck() ? 1 : 3, v.bottleneck() ? 1 : stride);
        b.norm(p + ".bn1");
        b.relu(p + ".relu1");
        b.conv(p + ".conv2", width, 3, v.bottleneck() ? stride : 1, v.groups());
        b.norm(p + ".bn2");
        if (v.bottleneck()) {
          b.relu(p + ".relu2");
          b.conv(p + ".conv3", out, 1, 1);
          b.norm(p + ".bn3");
        }
        String main = b.last;
        String side = from;
        if (stride != 1 || in != out) {
          b.last = from;
          b.conv(p + ".downsample.0", out, 1, stride);
          b.norm(p + ".downsample.1");
          side = b.last;
        }
        b.join(p + ".add", main, side);
        b.relu(p + ".relu");
        in = out;
      }
    }
    b.head("fc", classes);
  }
}
