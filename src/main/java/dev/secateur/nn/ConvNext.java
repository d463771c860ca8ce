package dev.secateur.nn;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.ElementwiseSpec.Kind;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Liu et al., arXiv 2201.03545, with torchvision's parameter names. The scale of a block's result
 * is part of the weights of its last layer; layers on (N,H,W,C) are 1x1 convolutions.
 */
final class ConvNext {
  static final Map<String, Variant> VARIANTS = variants();

  private static final float EPS = 1e-6f;

  /**
   * @param width channels of the first stage
   * @param third blocks of the third stage
   */
  record Variant(int width, int third) {}

  private ConvNext() {}

  private static Map<String, Variant> variants() {
    Map<String, Variant> out = new LinkedHashMap<>();
    out.put("convnext_tiny", new Variant(96, 9));
    out.put("convnext_small", new Variant(96, 27));
    out.put("convnext_base", new Variant(128, 27));
    out.put("convnext_large", new Variant(192, 27));
    return out;
  }

  static void add(GraphBuilder b, Variant v, int classes) {
    int width = v.width();
    b.add("features.0.0", patch(width, 4));
    b.add("features.0.1", new LayerNorm(EPS));
    for (int s = 0; s < 4; s++) {
      for (int i = 0; i < (s == 2 ? v.third() : 3); i++) {
        String p = "features." + (2 * s + 1) + "." + i;
        String from = b.last;
        ConvolutionSpec depthwise = new ConvolutionSpec(1, 1, 3, 3, 3, 3, 1, 1, width);
        b.add(p + ".block.0", new Convolution(width, 7, 7, depthwise, true));
        b.add(p + ".block.2", new LayerNorm(EPS));
        b.add(p + ".block.3", patch(4 * width, 1));
        b.add(p + ".block.4", new Elementwise(ElementwiseSpec.of(Kind.GELU)));
        b.add(p + ".block.5", patch(width, 1));
        b.join(p + ".add", b.last, from);
      }
      if (s < 3) {
        String p = "features." + (2 * s + 2);
        width *= 2;
        b.add(p + ".0", new LayerNorm(EPS));
        b.add(p + ".1", patch(width, 2));
      }
    }
    b.add("avgpool", new GlobalPool(PoolSpec.Kind.AVERAGE));
    b.add("classifier.0", new LayerNorm(EPS));
    b.add("flatten", new Flatten());
    b.add("classifier.2", new Linear(classes, true));
  }

  /** A convolution of squares that do not overlap. */
  private static Convolution patch(int out, int side) {
    return new Convolution(out, side, side, ConvolutionSpec.of(side, 0), true);
  }
}
