package dev.secateur.nn;

import dev.secateur.device.PoolSpec;
import dev.secateur.nn.op.Pool;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Huang et al., arXiv 1608.06993, with torchvision's parameter names. */
final class DenseNet {
  private static final int BOTTLENECK = 4;
  static final Map<String, Variant> VARIANTS = variants();

  /**
   * @param growth channels that each layer adds
   * @param blocks layers by dense block
   * @param stem channels of the first convolution
   */
  record Variant(int growth, int[] blocks, int stem) {}

  private DenseNet() {}

  private static Map<String, Variant> variants() {
    Map<String, Variant> out = new LinkedHashMap<>();
    out.put("densenet121", new Variant(32, new int[] {6, 12, 24, 16}, 64));
    out.put("densenet161", new Variant(48, new int[] {6, 12, 36, 24}, 96));
    out.put("densenet169", new Variant(32, new int[] {6, 12, 32, 32}, 64));
    out.put("densenet201", new Variant(32, new int[] {6, 12, 48, 32}, 64));
    return out;
  }

  static void add(GraphBuilder b, Variant v, int classes) {
    b.conv("features.conv0", v.stem(), 7, 2);
    b.norm("features.norm0");
    b.relu("features.relu0");
    b.add("features.pool0", new Pool(PoolSpec.square(PoolSpec.Kind.MAX, 3, 2, 1)));
    int channels = v.stem();
    for (int s = 0; s < v.blocks().length; s++) {
      List<String> parts = new ArrayList<>(List.of(b.last));
      for (int i = 1; i <= v.blocks()[s]; i++) {
        String p = "features.denseblock" + (s + 1) + ".denselayer" + i;
        if (i > 1) {
          b.concat(p + ".input", parts);
        }
        b.norm(p + ".norm1");
        b.relu(p + ".relu1");
        b.conv(p + ".conv1", BOTTLENECK * v.growth(), 1, 1);
        b.norm(p + ".norm2");
        b.relu(p + ".relu2");
        b.conv(p + ".conv2", v.growth(), 3, 1);
        parts.add(b.last);
        channels += v.growth();
      }
      b.concat("features.denseblock" + (s + 1), parts);
      if (s + 1 < v.blocks().length) {
        String p = "features.transition" + (s + 1);
        channels /= 2;
        b.norm(p + ".norm");
        b.relu(p + ".relu");
        b.conv(p + ".conv", channels, 1, 1);
        b.add(p + ".pool", new Pool(PoolSpec.square(PoolSpec.Kind.AVERAGE, 2, 2, 0)));
      }
    }
    b.norm("features.norm5");
    b.relu("features.relu5");
    b.head("classifier", classes);
  }
}
