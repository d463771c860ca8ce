package dev.secateur.io;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.ResizeSpec;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Border;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.GroupNorm;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.LocalResponseNorm;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Opaque;
import dev.secateur.nn.op.PRelu;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.PixelShuffle;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.ReduceChannels;
import dev.secateur.nn.op.Resize;
import dev.secateur.nn.op.SelectChannels;
import dev.secateur.nn.op.Shortcut;
import dev.secateur.nn.op.Softmax;
import dev.secateur.nn.op.Spread;
import dev.secateur.nn.op.TransposedConvolution;
import dev.secateur.nn.op.Unflatten;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The models that the files in src/test/resources/sct hold, written down once more. The files are
 * from the program as it was before formats had numbers (commit 5152491): this class, compiled
 * against it, wrote them. They are never written anew; later operations have files of their own.
 */
final class FormatModels {
  private final List<Node> nodes = new ArrayList<>();

  private FormatModels() {}

  /** By the name of its file. */
  static Map<String, Model> all() {
    Map<String, Model> out = new LinkedHashMap<>();
    out.put("every-op", everyOp());
    out.put("mean-image", meanImage());
    out.put("vectors", vectors());
    return out;
  }

  /** Those of files that came later, by the name of the file. */
  static Map<String, Model> later() {
    Map<String, Model> out = new LinkedHashMap<>();
    out.put("shuffles", shuffles());
    out.put("groups", groups());
    out.put("borders", borders());
    out.put("sharing", sharing());
    out.put("opaque", opaque());
    return out;
  }

  /** Writes the files into a folder. */
  public static void main(String[] folder) {
    later().forEach((name, model) -> Models.save(model, Path.of(folder[0], name + ".sct")));
  }

  /** Every operation and every constant of every enum, on images. */
  private static Model everyOp() {
    FormatModels m = new FormatModels();
    m.add("input", new Input(3, 11, 12));
    ConvolutionSpec uneven = new ConvolutionSpec(1, 2, 3, 2, 1, 0, 1, 2, 1);
    m.add("features.0", new Convolution(6, 3, 2, uneven, true), "input");
    m.add("features.1", new BatchNorm(1e-5f, 0.1f), "features.0");
    String x = "features.1";
    for (Activation a : Activation.values()) {
      x = m.add("activate." + a, new Activate(a), x);
    }
    for (ElementwiseSpec.Kind k : FIRST) {
      x = m.add("function." + k, new Elementwise(new ElementwiseSpec(k, 0.1f, 1 / 3f)), x);
    }
    ElementwiseSpec open =
        new ElementwiseSpec(ElementwiseSpec.Kind.CLIP, -Float.MAX_VALUE, Float.POSITIVE_INFINITY);
    x = m.add("open", new Elementwise(open), x);
    for (PoolSpec.Kind k : PoolSpec.Kind.values()) {
      x = m.add("pool." + k, new Pool(new PoolSpec(k, 3, 2, 1, 1, 1, 0, 1, 1)), x);
    }
    for (ResizeSpec.Mode mode : ResizeSpec.Mode.values()) {
      for (ResizeSpec.Coordinates c : ResizeSpec.Coordinates.values()) {
        x = m.add("resize." + mode + "." + c, new Resize(new ResizeSpec(9, 7, mode, c)), x);
      }
    }
    x = m.add("pad", new Pad(1, -1, 0, 2, Float.NEGATIVE_INFINITY), x);
    ConvolutionSpec up = new ConvolutionSpec(2, 2, 1, 0, 1, 1, 1, 1, 2);
    x = m.add("up", new TransposedConvolution(4, 3, 3, up, 1, 0, false), x);
    x = m.add("norm", new LayerNorm(1e-6f), x);
    String wide = m.add("shortcut", new Shortcut(2, 1, 3), x);
    ConvolutionSpec depthwise = new ConvolutionSpec(1, 1, 1, 1, 1, 1, 1, 1, 8);
    String dw = m.add("dw", new Convolution(8, 3, 3, depthwise, false), wide);
    String sum = m.add("sum", new Add(), dw, wide);
    String picked = m.add("picked", new SelectChannels(List.of(7, 0, 3, 3)), sum);
    String none = m.add("none", new Identity(), picked);
    String cat = m.add("cat", new Concat(), none, sum, picked);
    List<String> pooled = new ArrayList<>();
    for (PoolSpec.Kind k : PoolSpec.Kind.values()) {
      pooled.add(m.add("global." + k, new GlobalPool(k), cat));
    }
    String gate = m.add("gate", new Softmax(), pooled.get(0));
    String gated = m.add("gated", new Multiply(), cat, gate);
    String flat = m.add("flat", new Flatten(), m.add("g", new GlobalPool(POOL), gated));
    m.add("fc", new Linear(5, true), flat);
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("architecture", "every-op");
    metadata.put("classes", "Rosé\n\"quoted\"\\ \t雪");
    metadata.put("empty", "");
    return m.model(metadata);
  }

  /** The functions that were there at first. */
  private static final List<ElementwiseSpec.Kind> FIRST =
      List.of(
          ElementwiseSpec.Kind.LEAKY_RELU,
          ElementwiseSpec.Kind.ELU,
          ElementwiseSpec.Kind.CLIP,
          ElementwiseSpec.Kind.SIGMOID,
          ElementwiseSpec.Kind.HARD_SIGMOID,
          ElementwiseSpec.Kind.HARD_SWISH,
          ElementwiseSpec.Kind.SILU,
          ElementwiseSpec.Kind.GELU,
          ElementwiseSpec.Kind.TANH);

  private static Model borders() {
    FormatModels m = new FormatModels();
    m.add("input", new Input(2, 4, 5));
    m.add("reflect", new Border(3, 1, 0, 2, Border.Kind.REFLECT), "input");
    m.add("edge", new Border(0, 9, 1, 0, Border.Kind.EDGE), "reflect");
    return m.model(Map.of("architecture", "borders"));
  }

  /** A window with dilation, and layers that share their parameters. */
  private static Model sharing() {
    FormatModels m = new FormatModels();
    m.add("input", new Input(2, 7, 8));
    m.add("pool", new Pool(new PoolSpec(PoolSpec.Kind.MAX, 2, 3, 1, 1, 0, 1, 0, 1, 2, 3)), "input");
    Convolution twice = new Convolution(2, 3, 3, ConvolutionSpec.of(1, 1), true);
    m.add("a", twice, "pool");
    m.nodes.add(new Node("b", twice, List.of("a"), "a"));
    m.add("flat", new Flatten(), "b");
    return m.model(Map.of("architecture", "sharing"));
  }

  private static Model opaque() {
    FormatModels m = new FormatModels();
    m.add("input", new Input(2, 4, 5));
    m.add("maps", new Opaque(List.of(3, 2, 2)), "input");
    m.add("rows", new Opaque(List.of(7)), "maps", "input");
    return m.model(Map.of("architecture", "opaque"));
  }

  private static Model groups() {
    FormatModels m = new FormatModels();
    m.add("input", new Input(4, 3, 3));
    m.add("norm", new GroupNorm(2, 1e-5f), "input");
    m.add("flat", new Flatten(), "norm");
    return m.model(Map.of("architecture", "groups"));
  }

  /** What came after the first files: of November 2026. */
  private static Model shuffles() {
    FormatModels m = new FormatModels();
    m.add("input", new Input(3, 4, 6));
    m.add("up", new PixelShuffle(2, false), "input");
    String x = m.add("down", new PixelShuffle(2, true), "up");
    for (ElementwiseSpec.Kind k :
        List.of(
            ElementwiseSpec.Kind.SOFTPLUS, ElementwiseSpec.Kind.MISH, ElementwiseSpec.Kind.POWER)) {
      x = m.add("function." + k, new Elementwise(new ElementwiseSpec(k, 0.1f, 1 / 3f)), x);
    }
    m.add("prelu", new PRelu(), x);
    m.add("lrn", new LocalResponseNorm(5, 0.1f, 0.75f, 1.5f), "prelu");
    m.add("mean", new ReduceChannels(PoolSpec.Kind.AVERAGE, 7), "lrn");
    m.add("most", new ReduceChannels(PoolSpec.Kind.MAX, 3), "lrn");
    m.add("sum", new Add(), "mean", "most");
    m.add("spread", new Spread(3), "sum");
    m.add("gated", new Multiply(), "lrn", "spread");
    m.add("flat", new Flatten(), "gated");
    m.add("features", new Linear(8, false), "flat");
    m.add("image", new Unflatten(2, 2), "features");
    m.add("pooled", new GlobalPool(POOL), "image");
    m.add("end", new Flatten(), "pooled");
    return m.model(Map.of("architecture", "shuffles"));
  }

  private static final PoolSpec.Kind POOL = PoolSpec.Kind.AVERAGE;

  /** A normalisation of each pixel, as Keras networks come with. */
  private static Model meanImage() {
    FormatModels m = new FormatModels();
    m.add("image", new Input(2, 4, 3));
    m.add("conv", new Convolution(3, 1, 1, ConvolutionSpec.of(1, 0), false), "image");
    m.add("flat", new Flatten(), "conv");
    m.add("head", new Linear(2, false), "flat");
    Model model = m.model(Map.of());
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    Shape image = Shape.of(2, 4, 3);
    parameters.put("image.mean", new HostTensor(image, values(24, 41)));
    parameters.put("image.std", new HostTensor(image, values(24, 42)));
    return new Model(model.graph(), parameters, Map.of("source", "it0.json"));
  }

  /** Parameters that are hard to keep: bits, not values, have to come back. */
  private static Model vectors() {
    FormatModels m = new FormatModels();
    m.add("input", new Input(1, 2, 4));
    m.add("flat", new Flatten(), "input");
    m.add("fc", new Linear(1, true), "flat");
    Model model = m.model(Map.of());
    float[] hard = {
      Float.NaN,
      -0f,
      Float.POSITIVE_INFINITY,
      Float.NEGATIVE_INFINITY,
      Float.MIN_VALUE,
      -Float.MAX_VALUE,
      0.1f,
      1 + Math.ulp(1f)
    };
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    parameters.put("fc.weight", new HostTensor(Shape.of(1, 8), hard));
    return new Model(model.graph(), parameters, Map.of());
  }

  private String add(String name, Op op, String... inputs) {
    nodes.add(new Node(name, op, List.of(inputs)));
    return name;
  }

  private Model model(Map<String, String> metadata) {
    Graph graph = new Graph(nodes);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach(
            (name, shape) -> {
              int n = (int) shape.elements();
              parameters.put(name, new HostTensor(shape, values(n, parameters.size())));
            });
    return new Model(graph, parameters, metadata);
  }

  private static float[] values(int n, int seed) {
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = ((31 * i + 17 * seed) % 257 - 100) / 64f;
    }
    return out;
  }
}
