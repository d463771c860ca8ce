package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * The named networks, with torchvision's parameter names (VGG, ResNet-18..152) or those of
 * akamaster/pytorch_resnet_cifar10 (CIFAR ResNets). He et al., arXiv 1512.03385; Simonyan and
 * Zisserman, arXiv 1409.1556.
 */
public final class Architectures {
  private static final Map<Integer, int[]> CIFAR_DEPTHS = cifarDepths();
  private static final Map<Integer, int[]> IMAGENET_BLOCKS =
      Map.of(
          18, new int[] {2, 2, 2, 2},
          34, new int[] {3, 4, 6, 3},
          50, new int[] {3, 4, 6, 3},
          101, new int[] {3, 4, 23, 3},
          152, new int[] {3, 8, 36, 3});
  private static final Map<Integer, String> VGG =
      Map.of(
          11, "64 M 128 M 256 256 M 512 512 M 512 512 M",
          13, "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
          16, "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
          19, "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M");

  private Architectures() {}

  private static Map<Integer, int[]> cifarDepths() {
    Map<Integer, int[]> out = new LinkedHashMap<>();
    for (int depth : new int[] {8, 14, 20, 32, 44, 56, 110}) {
      int n = (depth - 2) / 6;
      out.put(depth, new int[] {n, n, n});
    }
    return out;
  }

  /** Every name that {@link #graph} knows. */
  public static List<String> names() {
    List<String> out = new ArrayList<>();
    CIFAR_DEPTHS.keySet().forEach(d -> out.add("resnet" + d));
    CIFAR_DEPTHS.keySet().forEach(d -> out.add("resnet" + d + "b"));
    IMAGENET_BLOCKS.keySet().stream().sorted().forEach(d -> out.add("resnet" + d));
    for (String suffix : new String[] {"", "_bn", "_bn_cifar"}) {
      VGG.keySet().stream().sorted().forEach(d -> out.add("vgg" + d + suffix));
    }
    return out;
  }

  /**
   * Structure alone.
   *
   * @throws IllegalArgumentException for an unknown name, or a size that the network cannot take
   */
  public static Graph graph(String name, int classes, int channels, int size) {
    if (!names().contains(name)) {
      throw new IllegalArgumentException(
          "unknown architecture " + name + "; known: " + String.join(", ", names()));
    }
    Builder b = new Builder();
    b.add("input", new Op.Input(channels, size, size));
    if (name.startsWith("vgg")) {
      vgg(b, name, classes);
    } else {
      boolean optionB = name.endsWith("b");
      int depth = Integer.parseInt(name.replaceAll("\\D", ""));
      if (CIFAR_DEPTHS.containsKey(depth)) {
        cifarResnet(b, CIFAR_DEPTHS.get(depth), optionB, classes);
      } else {
        imagenetResnet(b, IMAGENET_BLOCKS.get(depth), depth >= 50, classes);
      }
    }
    return new Graph(b.nodes);
  }

  /** A network with freshly drawn weights (Kaiming normal, as PyTorch's scripts do). */
  public static Model create(String name, int classes, int channels, int size, long seed) {
    Graph graph = graph(name, classes, channels, size);
    SplittableRandom random = new SplittableRandom(seed);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach((p, shape) -> parameters.put(p, initial(graph, p, shape, random)));
    return new Model(graph, parameters, Map.of("architecture", name, "seed", Long.toString(seed)));
  }

  private static HostTensor initial(
      Graph graph, String name, Shape shape, SplittableRandom random) {
    float[] data = new float[Math.toIntExact(shape.elements())];
    if (name.equals("input.mean")) {
      float[] mean = data.length == 3 ? new float[] {0.485f, 0.456f, 0.406f} : fill(data, 0.2860f);
      return new HostTensor(shape, times(mean, 255));
    }
    if (name.equals("input.std")) {
      float[] std = data.length == 3 ? new float[] {0.229f, 0.224f, 0.225f} : fill(data, 0.3530f);
      return new HostTensor(shape, times(std, 255));
    }
    Op op = graph.node(name.substring(0, name.lastIndexOf('.'))).op();
    boolean weight = name.endsWith(".weight");
    if (op instanceof Op.BatchNorm) {
      return new HostTensor(shape, weight || name.endsWith(".running_var") ? fill(data, 1) : data);
    }
    if (weight) {
      double fanOut = (double) shape.elements() / shape.dim(1);
      double std =
          op instanceof Op.Convolution ? Math.sqrt(2 / fanOut) : Math.sqrt(1.0 / shape.dim(1));
      for (int i = 0; i < data.length; i++) {
        data[i] = (float) (random.nextGaussian() * std);
      }
    }
    return new HostTensor(shape, data);
  }

  private static float[] fill(float[] data, float value) {
    java.util.Arrays.fill(data, value);
    return data;
  }

  private static float[] times(float[] data, float factor) {
    for (int i = 0; i < data.length; i++) {
      data[i] *= factor;
    }
    return data;
  }

  private static void vgg(Builder b, String name, int classes) {
    boolean cifar = name.endsWith("_cifar");
    boolean bn = name.contains("_bn");
    int index = 0;
    for (String part : VGG.get(Integer.parseInt(name.substring(3, 5))).split(" ")) {
      if (part.equals("M")) {
        b.add("features." + index++, new Op.Pool(PoolSpec.square(PoolSpec.Kind.MAX, 2, 2, 0)));
        continue;
      }
      b.add(
          "features." + index++,
          new Op.Convolution(Integer.parseInt(part), 3, 3, ConvolutionSpec.of(1, 1), true));
      if (bn) {
        b.add("features." + index++, new Op.BatchNorm(1e-5f, 0.1f));
      }
      b.add("features." + index++, new Op.Activate(Activation.RELU));
    }
    b.add("flatten", new Op.Flatten());
    if (cifar) {
      b.add("classifier", new Op.Linear(classes, true));
      return;
    }
    b.add("classifier.0", new Op.Linear(4096, true));
    b.add("classifier.1", new Op.Activate(Activation.RELU));
    b.add("classifier.3", new Op.Linear(4096, true));
    b.add("classifier.4", new Op.Activate(Activation.RELU));
    b.add("classifier.6", new Op.Linear(classes, true));
  }

  private static void cifarResnet(Builder b, int[] blocks, boolean optionB, int classes) {
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
          b.add(p + ".shortcut", new Op.Shortcut(stride, pad, out - in - pad));
          side = b.last;
        }
        b.join(p + ".add", main, side);
        b.relu(p + ".relu2");
        in = out;
      }
    }
    b.add("avgpool", new Op.GlobalPool(PoolSpec.Kind.AVERAGE));
    b.add("flatten", new Op.Flatten());
    b.add("linear", new Op.Linear(classes, true));
  }

  private static void imagenetResnet(Builder b, int[] blocks, boolean bottleneck, int classes) {
    b.conv("conv1", 64, 7, 2);
    b.norm("bn1");
    b.relu("relu");
    b.add("maxpool", new Op.Pool(PoolSpec.square(PoolSpec.Kind.MAX, 3, 2, 1)));
    int in = 64;
    for (int s = 0; s < 4; s++) {
      int width = 64 << s;
      int out = bottleneck ? width * 4 : width;
      for (int i = 0; i < blocks[s]; i++) {
        String p = "layer" + (s + 1) + "." + i;
        int stride = s > 0 && i == 0 ? 2 : 1;
        String from = b.last;
        b.conv(p + ".conv1", width, bottleneck ? 1 : 3, bottleneck ? 1 : stride);
        b.norm(p + ".bn1");
        b.relu(p + ".relu1");
        b.conv(p + ".conv2", width, 3, bottleneck ? stride : 1);
        b.norm(p + ".bn2");
        if (bottleneck) {
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
    b.add("avgpool", new Op.GlobalPool(PoolSpec.Kind.AVERAGE));
    b.add("flatten", new Op.Flatten());
    b.add("fc", new Op.Linear(classes, true));
  }

  /** Appends nodes; each reads the last one unless said otherwise. */
  private static final class Builder {
    private final List<Node> nodes = new ArrayList<>();
    private String last = "";

    void add(String name, Op op) {
      nodes.add(new Node(name, op, last.isEmpty() ? List.of() : List.of(last)));
      last = name;
    }

    void conv(String name, int out, int kernel, int stride) {
      ConvolutionSpec spec = ConvolutionSpec.of(stride, kernel / 2);
      add(name, new Op.Convolution(out, kernel, kernel, spec, false));
    }

    void norm(String name) {
      add(name, new Op.BatchNorm(1e-5f, 0.1f));
    }

    void relu(String name) {
      add(name, new Op.Activate(Activation.RELU));
    }

    void join(String name, String a, String b) {
      nodes.add(new Node(name, new Op.Add(), List.of(a, b)));
      last = name;
    }
  }
}
