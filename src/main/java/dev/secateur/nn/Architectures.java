package dev.secateur.nn;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Op;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;

/**
 * The named networks, with torchvision's parameter names or, for the CIFAR ResNets, those of
 * akamaster/pytorch_resnet_cifar10. Those that begin with tf_ are as TensorFlow has them and timm
 * took them over.
 */
public final class Architectures {
  private static final int CIFAR = 32;
  private static final int IMAGENET = 224;
  private static final String TENSORFLOW = "tf_";
  private static final float TENSORFLOW_EPS = 1e-3f;
  private static final Map<String, Entry> ALL = all();

  /**
   * A named network.
   *
   * @param size sides of the images that it was made for
   * @param builder adds all nodes but the input
   */
  private record Entry(int size, BiConsumer<GraphBuilder, Integer> builder) {}

  private Architectures() {}

  private static Map<String, Entry> all() {
    Map<String, Entry> out = new LinkedHashMap<>();
    for (boolean optionB : new boolean[] {false, true}) {
      CifarResNet.BLOCKS.forEach(
          (d, n) ->
              out.put(
                  "resnet" + d + (optionB ? "b" : ""),
                  new Entry(CIFAR, (b, classes) -> CifarResNet.add(b, n, optionB, classes))));
    }
    ResNet.VARIANTS.forEach(
        (name, v) -> out.put(name, new Entry(IMAGENET, (b, classes) -> ResNet.add(b, v, classes))));
    for (String suffix : new String[] {"", "_bn", "_bn_cifar"}) {
      int size = suffix.endsWith("_cifar") ? CIFAR : IMAGENET;
      Vgg.LAYERS.keySet().stream()
          .sorted()
          .map(d -> "vgg" + d + suffix)
          .forEach(
              name -> out.put(name, new Entry(size, (b, classes) -> Vgg.add(b, name, classes))));
    }
    DenseNet.VARIANTS.forEach(
        (name, v) ->
            out.put(name, new Entry(IMAGENET, (b, classes) -> DenseNet.add(b, v, classes))));
    out.put("mobilenet_v2", new Entry(IMAGENET, MobileNetV2::add));
    MobileNetV3.VARIANTS.keySet().stream()
        .sorted()
        .forEach(
            name ->
                out.put(
                    name, new Entry(IMAGENET, (b, classes) -> MobileNetV3.add(b, name, classes))));
    EfficientNet.VARIANTS.forEach(
        (name, v) ->
            out.put(name, new Entry(v.size(), (b, classes) -> EfficientNet.add(b, v, classes))));
    RegNet.VARIANTS.forEach(
        (name, v) -> out.put(name, new Entry(IMAGENET, (b, classes) -> RegNet.add(b, v, classes))));
    ConvNext.VARIANTS.forEach(
        (name, v) ->
            out.put(name, new Entry(IMAGENET, (b, classes) -> ConvNext.add(b, v, classes))));
    List.copyOf(out.keySet()).stream()
        .filter(n -> n.startsWith("efficientnet") || n.startsWith("mobilenet_v3"))
        .forEach(n -> out.put(TENSORFLOW + n, out.get(n)));
    return out;
  }

  /** Every name that {@link #graph} knows. */
  public static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  /**
   * Height and width of the images that a network was made for: 32 (CIFAR), or 224 and more
   * (ImageNet).
   *
   * @throws IllegalArgumentException for a name that is none of {@link #names}
   */
  public static int usualSize(String name) {
    return entry(name).size();
  }

  private static Entry entry(String name) {
    Entry e = ALL.get(name);
    if (e == null) {
      throw new IllegalArgumentException(
          "unknown architecture " + name + "; known: " + String.join(", ", names()));
    }
    return e;
  }

  /**
   * Structure alone.
   *
   * @throws IllegalArgumentException for an unknown name, or a size that the network cannot take
   */
  public static Graph graph(String name, int classes, int channels, int size) {
    Entry entry = entry(name);
    GraphBuilder b = new GraphBuilder();
    b.add("input", new Input(channels, size, size));
    entry.builder().accept(b, classes);
    Graph graph = new Graph(b.nodes);
    return tensorFlow(name) ? padded(graph) : graph;
  }

  /** Whether a name is one of the networks as TensorFlow has them. */
  public static boolean tensorFlow(String name) {
    return name.startsWith(TENSORFLOW);
  }

  /** With pads as TensorFlow's SAME: of an odd number of pixels more behind; and its eps. */
  private static Graph padded(Graph graph) {
    List<Node> nodes = new ArrayList<>();
    for (Node n : graph.nodes()) {
      Op op = n.op();
      if (op instanceof Convolution c) {
        Shape x = graph.shape(n.inputs().get(0));
        ConvolutionSpec same = c.spec().same(x.size(2), x.size(3), c.kernelH(), c.kernelW());
        op = new Convolution(c.outChannels(), c.kernelH(), c.kernelW(), same, c.bias());
      } else if (op instanceof BatchNorm norm) {
        op = new BatchNorm(TENSORFLOW_EPS, norm.momentum());
      }
      nodes.add(new Node(n.name(), op, n.inputs()));
    }
    return new Graph(nodes);
  }

  /** A network with freshly drawn weights (Kaiming normal, as PyTorch's scripts do). */
  public static Model create(String name, int classes, int channels, int size, long seed) {
    Graph graph = graph(name, classes, channels, size);
    SplittableRandom random = new SplittableRandom(seed);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach((p, shape) -> parameters.put(p, initial(name, graph, p, shape, random)));
    return new Model(graph, parameters, Map.of("architecture", name, "seed", Long.toString(seed)));
  }

  private static HostTensor initial(
      String architecture, Graph graph, String name, Shape shape, SplittableRandom random) {
    float[] data = new float[Math.toIntExact(shape.elements())];
    if (name.equals("input.mean")) {
      return usualMean(architecture, shape);
    }
    if (name.equals("input.std")) {
      return usualStd(architecture, shape);
    }
    Op op = graph.node(name.substring(0, name.lastIndexOf('.'))).op();
    boolean weight = name.endsWith(".weight");
    if (op instanceof BatchNorm || op instanceof LayerNorm) {
      return new HostTensor(shape, weight || name.endsWith(".running_var") ? fill(data, 1) : data);
    }
    if (weight) {
      double fanOut = (double) shape.elements() / shape.dim(1);
      double std =
          op instanceof Convolution ? Math.sqrt(2 / fanOut) : Math.sqrt(1.0 / shape.dim(1));
      for (int i = 0; i < data.length; i++) {
        data[i] = (float) (random.nextGaussian() * std);
      }
    }
    return new HostTensor(shape, data);
  }

  /** What timm feeds TensorFlow's networks with, but those of the first EfficientNets. */
  private static boolean halves(String name) {
    return tensorFlow(name) && !name.startsWith(TENSORFLOW + "efficientnet_b");
  }

  /** The mean of pixels from 0 to 255 that a network was made for; shape (C). */
  public static HostTensor usualMean(String name, Shape shape) {
    return halves(name)
        ? new HostTensor(shape, fill(new float[shape.size(0)], 127.5f))
        : usualMean(shape);
  }

  /** The deviation that goes with {@link #usualMean}. */
  public static HostTensor usualStd(String name, Shape shape) {
    return halves(name) ? usualMean(name, shape) : usualStd(shape);
  }

  /** ImageNet's mean of pixels from 0 to 255, or Fashion-MNIST's in each channel; shape (C). */
  public static HostTensor usualMean(Shape shape) {
    float[] data = new float[shape.size(0)];
    float[] mean = data.length == 3 ? new float[] {0.485f, 0.456f, 0.406f} : fill(data, 0.2860f);
    return new HostTensor(shape, times(mean, 255));
  }

  /** The deviation that goes with {@link #usualMean}. */
  public static HostTensor usualStd(Shape shape) {
    float[] data = new float[shape.size(0)];
    float[] std = data.length == 3 ? new float[] {0.229f, 0.224f, 0.225f} : fill(data, 0.3530f);
    return new HostTensor(shape, times(std, 255));
  }

  private static float[] fill(float[] data, float value) {
    Arrays.fill(data, value);
    return data;
  }

  private static float[] times(float[] data, float factor) {
    for (int i = 0; i < data.length; i++) {
      data[i] *= factor;
    }
    return data;
  }
}
