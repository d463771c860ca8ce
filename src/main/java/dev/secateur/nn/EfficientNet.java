package dev.secateur.nn;

import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.ElementwiseSpec.Kind;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Op;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Tan and Le, arXiv 1905.11946, and version 2, arXiv 2104.00298, with torchvision's parameter
 * names.
 */
final class EfficientNet {
  static final Map<String, Variant> VARIANTS = variants();

  private static final Op SILU = new Elementwise(ElementwiseSpec.of(Kind.SILU));
  private static final Op SIGMOID = new Elementwise(ElementwiseSpec.of(Kind.SIGMOID));

  /**
   * A row of the paper's table.
   *
   * @param fused one convolution instead of a pointwise and a depthwise one, without gate
   */
  record Stage(boolean fused, int expand, int kernel, int stride, int out, int blocks) {}

  /**
   * @param size sides of the images
   * @param last channels before the head
   */
  record Variant(int size, int stem, List<Stage> stages, int last, float eps, float momentum) {}

  private EfficientNet() {}

  private static Map<String, Variant> variants() {
    Map<String, Variant> out = new LinkedHashMap<>();
    int[] sizes = {224, 240, 288, 300, 380, 456, 528, 600};
    double[] width = {1, 1, 1.1, 1.2, 1.4, 1.6, 1.8, 2};
    double[] depth = {1, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1};
    for (int i = 0; i < sizes.length; i++) {
      double w = width[i];
      double d = depth[i];
      List<Stage> stages =
          List.of(
              scaled(1, 3, 1, 16, 1, w, d),
              scaled(6, 3, 2, 24, 2, w, d),
              scaled(6, 5, 2, 40, 2, w, d),
              scaled(6, 3, 2, 80, 3, w, d),
              scaled(6, 5, 1, 112, 3, w, d),
              scaled(6, 5, 2, 192, 4, w, d),
              scaled(6, 3, 1, 320, 1, w, d));
      int stem = GraphBuilder.divisible(32 * w, 8);
      int last = 4 * stages.get(6).out();
      float eps = i < 5 ? 1e-5f : 1e-3f;
      out.put(
          "efficientnet_b" + i,
          new Variant(sizes[i], stem, stages, last, eps, i < 5 ? 0.1f : 0.01f));
    }
    out.put(
        "efficientnet_v2_s",
        new Variant(
            384,
            24,
            List.of(
                new Stage(true, 1, 3, 1, 24, 2),
                new Stage(true, 4, 3, 2, 48, 4),
                new Stage(true, 4, 3, 2, 64, 4),
                new Stage(false, 4, 3, 2, 128, 6),
                new Stage(false, 6, 3, 1, 160, 9),
                new Stage(false, 6, 3, 2, 256, 15)),
            1280,
            1e-3f,
            0.1f));
    out.put(
        "efficientnet_v2_m",
        new Variant(
            480,
            24,
            List.of(
                new Stage(true, 1, 3, 1, 24, 3),
                new Stage(true, 4, 3, 2, 48, 5),
                new Stage(true, 4, 3, 2, 80, 5),
                new Stage(false, 4, 3, 2, 160, 7),
                new Stage(false, 6, 3, 1, 176, 14),
                new Stage(false, 6, 3, 2, 304, 18),
                new Stage(false, 6, 3, 1, 512, 5)),
            1280,
            1e-3f,
            0.1f));
    return out;
  }

  private static Stage scaled(
      int expand, int kernel, int stride, int out, int n, double w, double d) {
    return new Stage(
        false, expand, kernel, stride, GraphBuilder.divisible(out * w, 8), (int) Math.ceil(n * d));
  }

  static void add(GraphBuilder b, Variant v, int classes) {
    b.norms(v.eps(), v.momentum());
    b.unit("features.0", v.stem(), 3, 2, 1, SILU);
    int in = v.stem();
    for (int s = 0; s < v.stages().size(); s++) {
      Stage stage = v.stages().get(s);
      for (int i = 0; i < stage.blocks(); i++) {
        String p = "features." + (s + 1) + "." + i;
        int stride = i == 0 ? stage.stride() : 1;
        String from = b.last;
        block(b, p + ".block.", stage, in, stride);
        if (stride == 1 && in == stage.out()) {
          b.join(p + ".add", from, b.last);
        }
        in = stage.out();
      }
    }
    b.unit("features." + (v.stages().size() + 1), v.last(), 1, 1, 1, SILU);
    b.head("classifier.1", classes);
  }

  private static void block(GraphBuilder b, String p, Stage stage, int in, int stride) {
    int wide = in * stage.expand();
    if (stage.fused() && wide == in) {
      b.unit(p + 0, stage.out(), stage.kernel(), stride, 1, SILU);
      return;
    }
    int step = 0;
    if (stage.fused()) {
      b.unit(p + step++, wide, stage.kernel(), stride, 1, SILU);
    } else {
      if (wide != in) {
        b.unit(p + step++, wide, 1, 1, 1, SILU);
      }
      b.unit(p + step++, wide, stage.kernel(), stride, wide, SILU);
      b.gate(p + step++, wide, Math.max(1, in / 4), SILU, SIGMOID);
    }
    b.unit(p + step, stage.out(), 1, 1, 1);
  }
}
