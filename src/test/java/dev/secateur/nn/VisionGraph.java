package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.ElementwiseSpec.Kind;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.ResizeSpec;
import dev.secateur.device.ResizeSpec.Coordinates;
import dev.secateur.device.ResizeSpec.Mode;
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
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.LocalResponseNorm;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.PRelu;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.PixelShuffle;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.ReduceChannels;
import dev.secateur.nn.op.Resize;
import dev.secateur.nn.op.SelectChannels;
import dev.secateur.nn.op.Softmax;
import dev.secateur.nn.op.Spread;
import dev.secateur.nn.op.TransposedConvolution;
import dev.secateur.nn.op.Unflatten;
import dev.secateur.tensor.HostTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** A small network that has every op beyond plain chains of convolutions, for tests. */
final class VisionGraph {
  private VisionGraph() {}

  static Graph create() {
    List<Node> n = new ArrayList<>();
    n.add(new Node("input", new Input(3, 9, 8), List.of()));
    n.add(node("c1", new Convolution(8, 3, 3, ConvolutionSpec.of(1, 1), true), "input"));
    n.add(elementwise("silu", Kind.SILU, 0, 0, "c1"));
    // a depthwise block whose result three nodes read
    ConvolutionSpec depthwise = new ConvolutionSpec(1, 1, 1, 1, 1, 1, 1, 1, 8);
    n.add(node("dw", new Convolution(8, 3, 3, depthwise, false), "silu"));
    n.add(node("bn", new BatchNorm(1e-3f, 0.1f), "dw"));
    n.add(node("sum", new Add(), "bn", "silu"));
    n.add(elementwise("hs", Kind.HARD_SWISH, 0, 0, "sum"));
    // channels in another order, one of them twice, one not at all
    n.add(node("pick", new SelectChannels(List.of(7, 0, 3, 0, 5, 2)), "sum"));
    n.add(node("slice", new SelectChannels(List.of(2, 3, 4)), "sum"));
    // squeeze and excitation
    n.add(node("squeeze", new GlobalPool(PoolSpec.Kind.AVERAGE), "pick"));
    n.add(node("se", new Convolution(6, 1, 1, ConvolutionSpec.of(1, 0), true), "squeeze"));
    n.add(elementwise("gate", Kind.HARD_SIGMOID, 0.2f, 0.5f, "se"));
    n.add(node("excite", new Multiply(), "pick", "gate"));
    n.add(node("pad", new Pad(1, -1, 0, 2, 0.5f), "excite"));
    ConvolutionSpec up = new ConvolutionSpec(2, 2, 1, 0, 1, 1, 1, 1, 2);
    n.add(node("up", new TransposedConvolution(4, 3, 3, up, 1, 0, true), "pad"));
    n.add(node("mirror", new Border(2, 0, 1, 3, Border.Kind.REFLECT), "up"));
    n.add(node("repeat", new Border(1, 2, 0, 1, Border.Kind.EDGE), "mirror"));
    n.add(node("ln", new LayerNorm(1e-3f), "repeat"));
    n.add(elementwise("gelu", Kind.GELU, 0, 0, "ln"));
    ResizeSpec half = new ResizeSpec(9, 8, Mode.BILINEAR, Coordinates.HALF_PIXEL);
    n.add(node("half", new Resize(half), "gelu"));
    n.add(node("attention", new Softmax(), "half"));
    n.add(node("square", new Multiply(), "attention", "half"));
    // where to look, by mean and maximum over channels
    n.add(node("mean", new ReduceChannels(PoolSpec.Kind.AVERAGE, 6), "half"));
    n.add(node("most", new ReduceChannels(PoolSpec.Kind.MAX, 4), "half"));
    n.add(node("both", new Concat(), "mean", "most"));
    n.add(node("where", new Convolution(1, 3, 3, ConvolutionSpec.of(1, 1), true), "both"));
    n.add(elementwise("softplus", Kind.SOFTPLUS, 0, 0, "where"));
    n.add(elementwise("root", Kind.POWER, 0.5f, 0, "softplus"));
    n.add(node("spread", new Spread(4), "root"));
    n.add(node("gated", new Multiply(), "half", "spread"));
    n.add(node("shuffled", new PixelShuffle(2, true), "hs"));
    n.add(elementwise("mish", Kind.MISH, 0, 0, "shuffled"));
    n.add(node("unshuffle", new PixelShuffle(2, false), "mish"));
    n.add(node("unshuffled", new GroupNorm(4, 1e-2f), "unshuffle"));
    n.add(node("self", new Multiply(), "half", "half"));
    n.add(node("cat", new Concat(), "square", "unshuffled", "slice", "self", "gated"));
    n.add(node("c2", new Convolution(5, 1, 1, ConvolutionSpec.of(1, 0), false), "cat"));
    n.add(node("prelu", new PRelu(), "c2"));
    n.add(node("lrn", new LocalResponseNorm(4, 0.5f, 0.75f, 2), "prelu"));
    n.add(elementwise("leaky", Kind.LEAKY_RELU, 0.1f, 0, "lrn"));
    ResizeSpec nearest = new ResizeSpec(13, 16, Mode.NEAREST, Coordinates.ASYMMETRIC);
    n.add(node("nearest", new Resize(nearest), "leaky"));
    ResizeSpec corners = new ResizeSpec(7, 5, Mode.BILINEAR, Coordinates.ALIGN_CORNERS);
    n.add(node("corners", new Resize(corners), "nearest"));
    // padding below and at the right only, as ceil_mode has it
    PoolSpec average = new PoolSpec(PoolSpec.Kind.AVERAGE, 2, 2, 2, 2, 0, 0, 1, 1);
    n.add(node("avg", new Pool(average), "corners"));
    PoolSpec max = new PoolSpec(PoolSpec.Kind.MAX, 3, 3, 2, 2, 1, 1, 0, 1);
    n.add(node("max", new Pool(max), "avg"));
    n.add(node("flat", new Flatten(), "max"));
    n.add(node("fc0", new Linear(12, false), "flat"));
    n.add(node("image", new Unflatten(2, 3), "fc0"));
    n.add(node("cu", new Convolution(3, 1, 1, ConvolutionSpec.of(1, 0), false), "image"));
    n.add(node("flat2", new Flatten(), "cu"));
    n.add(node("prelu1", new PRelu(), "flat2"));
    n.add(node("fc1", new Linear(6, true), "prelu1"));
    n.add(node("bn1", new BatchNorm(1e-2f, 0.1f), "fc1"));
    n.add(elementwise("elu", Kind.ELU, 0.7f, 0, "bn1"));
    n.add(node("fc2", new Linear(6, false), "elu"));
    n.add(node("bn2", new BatchNorm(1e-2f, 0.1f), "fc2"));
    n.add(node("relu", new Activate(Activation.RELU), "bn2"));
    n.add(node("add", new Add(), "relu", "elu"));
    n.add(elementwise("tanh", Kind.TANH, 0, 0, "add"));
    n.add(node("pick1", new SelectChannels(List.of(5, 1, 1, 0)), "tanh"));
    n.add(node("slice1", new SelectChannels(List.of(1, 2, 3, 4)), "add"));
    n.add(elementwise("clip", Kind.CLIP, -0.8f, 1.5f, "slice1"));
    n.add(node("mul1", new Multiply(), "clip", "pick1"));
    n.add(node("ln1", new LayerNorm(1e-2f), "mul1"));
    n.add(node("soft1", new Softmax(), "pick1"));
    n.add(node("cat1", new Concat(), "ln1", "soft1", "add"));
    n.add(elementwise("sigmoid", Kind.SIGMOID, 0, 0, "cat1"));
    n.add(node("fc3", new Linear(4, true), "sigmoid"));
    return new Graph(n);
  }

  /** With random weights; vectors 0, but for the input's. */
  static Model model(long seed) {
    Graph graph = create();
    SplittableRandom random = new SplittableRandom(seed);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach(
            (name, shape) -> {
              float[] d = new float[(int) shape.elements()];
              if (name.startsWith("input.")) {
                Arrays.fill(d, name.endsWith("mean") ? 127 : 64);
              } else if (shape.rank() > 1) {
                double deviation = Math.sqrt(2.0 * shape.dim(0) / d.length);
                for (int i = 0; i < d.length; i++) {
                  d[i] = (float) (deviation * random.nextGaussian());
                }
              }
              parameters.put(name, new HostTensor(shape, d));
            });
    return new Model(graph, parameters, Map.of());
  }

  private static Node elementwise(String name, Kind kind, float a, float b, String input) {
    return node(name, new Elementwise(new ElementwiseSpec(kind, a, b)), input);
  }

  private static Node node(String name, Op op, String... inputs) {
    return new Node(name, op, List.of(inputs));
  }
}
