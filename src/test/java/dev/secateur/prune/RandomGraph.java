package dev.secateur.prune;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.ElementwiseSpec.Kind;
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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Draws networks of every op. A dead channel stays zero in them (sigmoids only gate), so that the
 * zeroed network is what surgery has to equal.
 */
public final class RandomGraph {
  private final SplittableRandom random;
  private final List<Node> nodes = new ArrayList<>();
  private final Set<String> read = new HashSet<>();

  /** Values of four axes that later nodes may read, with their shapes (1,C,H,W). */
  private final Map<String, Shape> values = new LinkedHashMap<>();

  private RandomGraph(SplittableRandom random) {
    this.random = random;
  }

  public static Model draw(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    return model(new RandomGraph(random).graph(), random);
  }

  /** A network with random weights, norms and biases. */
  static Model model(Graph graph, SplittableRandom random) {
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach(
            (name, shape) -> {
              float[] d = new float[(int) shape.elements()];
              if (name.startsWith("input.")) {
                Arrays.fill(d, name.endsWith("mean") ? 127 : 64);
              } else if (shape.rank() > 1) {
                double deviation = Math.sqrt(1.5 * shape.dim(0) / d.length);
                for (int i = 0; i < d.length; i++) {
                  d[i] = (float) (deviation * random.nextGaussian());
                }
              } else {
                boolean scale = name.endsWith("var") || name.endsWith("weight");
                for (int i = 0; i < d.length; i++) {
                  d[i] = (float) (random.nextDouble(-0.3, 0.3) + (scale ? 1 : 0));
                }
              }
              parameters.put(name, new HostTensor(shape, d));
            });
    return new Model(graph, parameters, Map.of());
  }

  private Graph graph() {
    add(new Input(3, 8, 8));
    convolution("n0", 4 * random.nextInt(1, 4), 1);
    int steps = random.nextInt(5, 14);
    for (int i = 0; i < steps; i++) {
      step();
    }
    // all that nobody reads goes into the head: flattened whole, or pooled and concatenated
    List<String> open = values.keySet().stream().filter(v -> !read.contains(v)).toList();
    String whole = linear(add(new Flatten(), open.get(random.nextInt(open.size()))), 5);
    List<String> pooled = new ArrayList<>();
    for (String v : open) {
      pooled.add(add(new GlobalPool(PoolSpec.Kind.AVERAGE), v));
    }
    String joined =
        pooled.size() == 1 ? pooled.get(0) : add(new Concat(), pooled.toArray(String[]::new));
    String hidden = linear(add(new Flatten(), joined), 6);
    String head = linear(add(new Activate(Activation.RELU), hidden), 5);
    add(new Add(), whole, head);
    return new Graph(nodes);
  }

  private void step() {
    String x = any();
    Shape s = values.get(x);
    int c = s.size(1);
    switch (random.nextInt(18)) {
      case 0, 1 -> {
        int groups = c % 2 == 0 && random.nextInt(3) == 0 ? 2 : 1;
        convolution(x, 2 * random.nextInt(1, 7), groups);
      }
      case 2 -> convolution(x, c * random.nextInt(1, 3), c);
      case 3 -> value(add(new BatchNorm(1e-3f, 0.1f), x), s);
      case 4 -> value(add(function(), x), s);
      case 5 -> residual(x, s);
      case 6 -> {
        // a concatenation of what is as large, itself among it now and then
        List<String> alike =
            values.keySet().stream().filter(v -> values.get(v).with(1, c).equals(s)).toList();
        String other = alike.get(random.nextInt(alike.size()));
        int width = c + values.get(other).size(1);
        value(add(new Concat(), x, other), s.with(1, width));
      }
      case 7 -> {
        // a shuffle, a slice, or some channels twice
        int groups = c % 2 == 0 ? 2 : 1;
        int way = random.nextInt(3);
        int width = way == 0 ? c : random.nextInt(1, c + 2);
        int from = random.nextInt(c);
        List<Integer> channels =
            IntStream.range(0, width)
                .mapToObj(
                    j ->
                        switch (way) {
                          case 0 -> j % groups * (c / groups) + j / groups;
                          case 1 -> (from + j) % c;
                          default -> random.nextInt(c);
                        })
                .toList();
        value(add(new SelectChannels(channels), x), s.with(1, width));
      }
      case 8 -> gate(x, s);
      case 9 -> {
        if (s.dim(2) > 3 && s.dim(3) > 3) {
          PoolSpec.Kind kind = random.nextBoolean() ? PoolSpec.Kind.MAX : PoolSpec.Kind.AVERAGE;
          String y = add(new Pool(PoolSpec.square(kind, 2, 2, 0)), x);
          value(y, Shape.of(1, c, s.dim(2) / 2, s.dim(3) / 2));
        }
      }
      case 10 -> {
        int edge = random.nextInt(3);
        boolean reflect = edge == 1 && s.dim(2) > 1 && s.dim(3) > 1;
        Op border =
            reflect
                ? new Border(1, 0, 0, 1, Border.Kind.REFLECT)
                : edge == 2 ? new Border(1, 0, 0, 1, Border.Kind.EDGE) : new Pad(1, 0, 0, 1, 0);
        String y = add(border, x);
        value(y, Shape.of(1, c, s.dim(2) + 1, s.dim(3) + 1));
      }
      case 11 -> {
        ResizeSpec.Mode mode =
            random.nextBoolean() ? ResizeSpec.Mode.NEAREST : ResizeSpec.Mode.BILINEAR;
        ResizeSpec.Coordinates places =
            mode == ResizeSpec.Mode.NEAREST
                ? ResizeSpec.Coordinates.ASYMMETRIC
                : ResizeSpec.Coordinates.HALF_PIXEL;
        String y = add(new Resize(new ResizeSpec(8, 8, mode, places)), x);
        value(y, Shape.of(1, c, 8, 8));
      }
      case 12 -> {
        if (s.dim(2) <= 8) {
          boolean depthwise = random.nextInt(3) == 0;
          int width = depthwise ? c : 2 * random.nextInt(1, 5);
          int groups = depthwise ? c : c % 2 == 0 && random.nextBoolean() ? 2 : 1;
          ConvolutionSpec spec = new ConvolutionSpec(1, 1, 1, 1, 1, 1, 1, 1, groups);
          Op op = new TransposedConvolution(width, 3, 3, spec, 0, 0, random.nextBoolean());
          value(add(op, x), s.with(1, width));
        }
      }
      case 13 -> {
        int each = 4;
        boolean up = c % each == 0 && s.dim(2) <= 8;
        boolean down = !up && s.dim(2) % 2 == 0 && s.dim(3) % 2 == 0 && c <= 8;
        if (up || down) {
          Op op = new PixelShuffle(2, up);
          value(add(op, x), op.output(List.of(s)));
        }
      }
      case 14 -> {
        int count = random.nextBoolean() ? c : c % 2 == 0 ? c / 2 : 1;
        value(add(random.nextBoolean() ? new PRelu() : new GroupNorm(count, 1e-2f), x), s);
      }
      case 15 -> {
        // a gate of one channel for all
        boolean max = random.nextInt(3) == 0;
        PoolSpec.Kind kind = max ? PoolSpec.Kind.MAX : PoolSpec.Kind.AVERAGE;
        String mean = add(new ReduceChannels(kind, c), x);
        ConvolutionSpec three = ConvolutionSpec.of(1, 1);
        String one = add(new Convolution(1, 3, 3, three, true), mean);
        String gate = add(new Elementwise(ElementwiseSpec.of(Kind.SIGMOID)), one);
        value(add(new Multiply(), x, add(new Spread(c), gate)), s);
      }
      case 16 -> {
        if (random.nextInt(3) == 0) {
          value(add(new LocalResponseNorm(3, 0.5f, 0.75f, 1), x), s);
        } else {
          // features as an image again
          int width = 2 * random.nextInt(1, 4);
          String flat = add(new Flatten(), add(new GlobalPool(PoolSpec.Kind.AVERAGE), x));
          String image = add(new Unflatten(2, 2), linear(flat, 4 * width));
          value(image, Shape.of(1, width, 2, 2));
          convolution(image, 2 * random.nextInt(1, 5), 1);
          values.remove(image); // a sum with filters would take features along that are not zero
        }
      }
      default -> {
        if (random.nextInt(3) == 0) {
          value(add(random.nextBoolean() ? new LayerNorm(1e-2f) : new Softmax(), x), s);
        } else {
          value(add(new Identity(), x), s);
        }
      }
    }
  }

  /** Two convolutions and what they are added to, now and then by an option-A shortcut. */
  private void residual(String x, Shape s) {
    boolean shortcut = random.nextBoolean();
    int before = shortcut ? random.nextInt(3) : 0;
    int after = shortcut ? random.nextInt(3) : 0;
    int width = s.size(1) + before + after;
    String inner = convolution(x, 2 * random.nextInt(1, 5), 1);
    String outer = convolution(inner, width, 1);
    values.remove(inner);
    String norm = add(new BatchNorm(1e-3f, 0.1f), outer);
    values.remove(outer);
    String side = shortcut ? add(new Shortcut(1, before, after), x) : x;
    String sum = random.nextBoolean() ? add(new Add(), norm, side) : add(new Add(), side, norm);
    value(add(new Activate(Activation.RELU), sum), s.with(1, width));
  }

  /** Squeeze and excitation. */
  private void gate(String x, Shape s) {
    String squeezed = add(new GlobalPool(PoolSpec.Kind.AVERAGE), x);
    ConvolutionSpec one = ConvolutionSpec.of(1, 0);
    String small = add(new Convolution(3, 1, 1, one, true), squeezed);
    String relu = add(new Activate(Activation.RELU), small);
    String large = add(new Convolution(s.size(1), 1, 1, one, true), relu);
    Kind kind = random.nextBoolean() ? Kind.SIGMOID : Kind.HARD_SIGMOID;
    String gate = add(new Elementwise(new ElementwiseSpec(kind, 0.2f, 0.5f)), large);
    value(add(new Multiply(), x, gate), s);
  }

  private Op function() {
    return switch (random.nextInt(6)) {
      case 0 -> new Activate(Activation.RELU6);
      case 1 -> new Elementwise(ElementwiseSpec.of(Kind.SILU));
      case 2 -> new Elementwise(new ElementwiseSpec(Kind.LEAKY_RELU, 0.1f, 0));
      case 3 -> new Elementwise(ElementwiseSpec.of(Kind.HARD_SWISH));
      case 4 -> new Elementwise(ElementwiseSpec.of(Kind.GELU));
      default -> new Activate(Activation.RELU);
    };
  }

  private String convolution(String x, int width, int groups) {
    Shape s = nodes.size() == 1 ? Shape.of(1, 3, 8, 8) : values.get(x);
    int kernel = random.nextBoolean() ? 3 : 1;
    int p = kernel / 2;
    ConvolutionSpec spec = new ConvolutionSpec(1, 1, p, p, p, p, 1, 1, groups);
    String y = add(new Convolution(width, kernel, kernel, spec, random.nextBoolean()), x);
    value(y, s.with(1, width));
    return y;
  }

  private String linear(String x, int width) {
    return add(new Linear(width, true), x);
  }

  private String any() {
    List<String> all = List.copyOf(values.keySet());
    // mostly the newest, so that networks become deep
    int back = Math.min(random.nextInt(all.size()), random.nextInt(all.size()));
    return all.get(all.size() - 1 - back);
  }

  private void value(String name, Shape shape) {
    values.put(name, shape);
  }

  private String add(Op op, String... inputs) {
    String name = "n" + nodes.size();
    nodes.add(new Node(nodes.isEmpty() ? "input" : name, op, names(inputs)));
    read.addAll(names(inputs));
    return nodes.isEmpty() ? "input" : name;
  }

  private static List<String> names(String... inputs) {
    return Arrays.stream(inputs).map(i -> i.equals("n0") ? "input" : i).toList();
  }
}
