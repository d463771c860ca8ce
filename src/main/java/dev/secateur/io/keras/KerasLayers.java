package dev.secateur.io.keras;

import com.fasterxml.jackson.databind.JsonNode;
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
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.Resize;
import dev.secateur.nn.op.Softmax;
import dev.secateur.nn.op.TransposedConvolution;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Builds our graph from Keras layers, one after the other. */
final class KerasLayers {
  private static final String INPUT = "input";
  private final KerasWeights weights;
  private final List<Node> nodes = new ArrayList<>();
  private final Map<String, HostTensor> parameters = new LinkedHashMap<>();

  /** Our node that carries a Keras layer's output. */
  private final Map<String, String> outputs = new LinkedHashMap<>();

  private final Map<String, Shape> shapes = new LinkedHashMap<>();

  /** Flattened values of more than one pixel, with the shape they had. */
  private final Map<String, Shape> flattened = new LinkedHashMap<>();

  /** A layer or setting that is not imported. */
  static final class Unsupported extends RuntimeException {
    private static final long serialVersionUID = 1;

    Unsupported(String message) {
      super(message);
    }
  }

  KerasLayers(KerasWeights weights) {
    this.weights = weights;
  }

  /**
   * @throws Unsupported naming the layer
   * @throws IllegalArgumentException where the weights do not fit
   */
  Model model(JsonNode root, Map<String, String> metadata) {
    String kind = root.path("class_name").asText();
    JsonNode config = root.path("config");
    JsonNode layers = config.isArray() ? config : config.path("layers");
    boolean sequential = kind.equals("Sequential");
    if (!layers.isArray()
        || layers.isEmpty()
        || !List.of("Model", "Functional", "Sequential").contains(kind)) {
      throw new Unsupported("expected a Keras Model or Sequential, found \"" + kind + "\"");
    }
    String previous = "";
    for (JsonNode layer : layers) {
      JsonNode c = layer.path("config");
      String type = layer.path("class_name").asText();
      String name = c.path("name").asText(layer.path("name").asText());
      boolean input = type.equals("InputLayer");
      if (sequential && nodes.isEmpty() && !input) {
        input(name + "_input", c);
        previous = name + "_input";
      }
      if (input) {
        input(name, c);
      } else {
        List<String> in = sequential ? List.of(ours(previous)) : inbound(name, layer);
        add(type, name, c, in);
      }
      previous = name;
    }
    String last = sequential ? previous : output(config);
    if (!outputs.containsKey(last)) {
      throw new Unsupported("its output layer " + last + " is missing");
    }
    Graph graph = withoutSoftmax(outputs.get(last));
    parameters.keySet().retainAll(ParameterShapes.of(graph).keySet());
    Map<String, String> all = new LinkedHashMap<>(metadata);
    all.put("framework", "keras");
    return new Model(graph, parameters, all);
  }

  private String output(JsonNode config) {
    JsonNode out = config.path("output_layers");
    if (out.size() != 1 && !out.path(0).isTextual()) {
      throw new Unsupported("it has " + out.size() + " outputs; expected one");
    }
    return out.path(0).isTextual() ? out.path(0).asText() : out.path(0).path(0).asText();
  }

  /** Nodes that the output needs; a softmax at the end goes, because losses take logits. */
  private Graph withoutSoftmax(String output) {
    String end = output;
    Map<String, Node> byName = new LinkedHashMap<>();
    nodes.forEach(n -> byName.put(n.name(), n));
    while (byName.get(end).op() instanceof Softmax) {
      end = byName.get(end).inputs().get(0);
    }
    List<String> needed = new ArrayList<>(List.of(end));
    List<Node> kept = new ArrayList<>();
    for (int i = nodes.size() - 1; i >= 0; i--) {
      if (needed.contains(nodes.get(i).name()) || i == 0) {
        kept.add(0, nodes.get(i));
        needed.addAll(nodes.get(i).inputs());
      }
    }
    return new Graph(kept);
  }

  private void input(String name, JsonNode c) {
    JsonNode shape =
        c.has("batch_input_shape") ? c.path("batch_input_shape") : c.path("batch_shape");
    if (!nodes.isEmpty()) {
      throw new Unsupported("layer " + name + " is a second input; expected one");
    }
    int[] hwc = new int[3];
    for (int i = 0; i < 3; i++) {
      hwc[i] = shape.path(i + 1).asInt(0);
      if (shape.size() != 4 || hwc[i] <= 0) {
        throw new Unsupported(
            "layer " + name + " has input shape " + shape + "; expected (N, height, width, C)");
      }
    }
    emit(INPUT, new Input(hwc[2], hwc[0], hwc[1]), List.of());
    outputs.put(name, INPUT);
    float[] std = new float[hwc[2]];
    Arrays.fill(std, 255);
    parameters.put(INPUT + ".mean", new HostTensor(Shape.of(hwc[2]), new float[hwc[2]]));
    parameters.put(INPUT + ".std", new HostTensor(Shape.of(hwc[2]), std));
  }

  private List<String> inbound(String name, JsonNode layer) {
    JsonNode calls = layer.path("inbound_nodes");
    if (calls.size() != 1 || !calls.path(0).isArray()) {
      throw new Unsupported(
          "layer " + name + " is called " + calls.size() + " times; expected once");
    }
    List<String> in = new ArrayList<>();
    for (JsonNode one : calls.path(0)) {
      in.add(ours(one.path(0).asText()));
    }
    return in;
  }

  private String ours(String layer) {
    String node = outputs.get(layer);
    if (node == null) {
      throw new Unsupported("a layer reads " + layer + ", which is not before it");
    }
    return node;
  }

  private void emit(String name, Op op, List<String> in) {
    Node n = new Node(name, op, in);
    if (shapes.containsKey(name)) {
      throw new Unsupported("two layers are named " + name);
    }
    try {
      shapes.put(name, op.output(in.stream().map(shapes::get).toList()));
    } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
      throw new Unsupported("layer " + name + " does not fit what it reads");
    }
    nodes.add(n);
  }

  private void add(String type, String name, JsonNode c, List<String> in) {
    if (in.isEmpty()) {
      throw new Unsupported("layer " + name + " reads nothing");
    }
    String from = in.get(0);
    if (c.path("data_format").asText("channels_last").equals("channels_first")) {
      throw new Unsupported("layer " + name + " is channels_first; expected channels_last");
    }
    switch (type) {
      case "Conv2D", "Convolution2D" -> convolution(name, c, from);
      case "DepthwiseConv2D" -> depthwise(name, name, "depthwise_kernel", c, from, true);
      case "SeparableConv2D" -> separable(name, c, from);
      case "Conv2DTranspose" -> transposed(name, c, from);
      case "BatchNormalization" -> norm(name, c, from);
      case "Dense" -> dense(name, c, from);
      case "Activation" -> emitActivation(name, c.path("activation").asText(), from);
      case "ReLU" -> relu(name, c, from);
      case "LeakyReLU" -> {
        float slope = (float) c.path("alpha").asDouble(c.path("negative_slope").asDouble(0.3));
        function(name, new ElementwiseSpec(Kind.LEAKY_RELU, slope, 0), from);
      }
      case "ELU" ->
          function(
              name, new ElementwiseSpec(Kind.ELU, (float) c.path("alpha").asDouble(1), 0), from);
      case "Softmax" -> emitActivation(name, "softmax", from);
      case "MaxPooling2D", "AveragePooling2D" -> pool(type, name, c, from);
      case "GlobalAveragePooling2D", "GlobalMaxPooling2D" -> globalPool(type, name, c, from);
      case "Flatten" -> flatten(name, from);
      case "Reshape" -> reshape(name, c, from);
      case "Add" -> fold(name, new Add(), in);
      case "Multiply" -> multiply(name, in);
      case "Concatenate" -> concatenate(name, c, in);
      case "ZeroPadding2D" -> {
        int[] p = sides(c.path("padding"));
        emit(name, new Pad(p[0], p[2], p[1], p[3], 0), List.of(from));
      }
      case "Cropping2D" -> {
        int[] p = sides(c.path("cropping"));
        emit(name, new Pad(-p[0], -p[2], -p[1], -p[3], 0), List.of(from));
      }
      case "UpSampling2D" -> upsample(name, c, from);
      case "Dropout",
              "SpatialDropout2D",
              "GaussianNoise",
              "GaussianDropout",
              "AlphaDropout",
              "ActivityRegularization" ->
          emit(name, new Identity(), List.of(from));
      default ->
          throw new Unsupported(
              "layer " + name + " is a " + type + ", which is not supported; remove or replace it");
    }
    outputs.put(name, nodes.get(nodes.size() - 1).name());
    Shape before = flattened.get(from);
    boolean keepsOrder =
        before != null && !type.equals("Dense") && shapes.get(outputs.get(name)).rank() == 2;
    if (keepsOrder) {
      flattened.put(outputs.get(name), before);
    }
  }

  // ---- layers with weights
  // -----------------------------------------------------------------------

  private void convolution(String name, JsonNode c, String from) {
    int k = positive(name, c, "filters");
    int[] kernel = pair(name, c, "kernel_size", 0);
    int groups = c.path("groups").asInt(1);
    int in = shapes.get(from).size(1);
    if (groups < 1 || in % groups != 0 || k % groups != 0) {
      throw new Unsupported("layer " + name + " has " + groups + " groups, which do not fit");
    }
    boolean bias = c.path("use_bias").asBoolean(true);
    ConvolutionSpec spec = spec(name, c, from, kernel, groups);
    emit(name, new Convolution(k, kernel[0], kernel[1], spec, bias), List.of(from));
    HostTensor w = weights.read(name, "kernel", Shape.of(kernel[0], kernel[1], in / groups, k));
    parameters.put(name + ".weight", permute(w, 3, 2, 0, 1));
    bias(name, name, k, bias);
    activation(name, c);
  }

  private void depthwise(
      String layer, String name, String weight, JsonNode c, String from, boolean biased) {
    int[] kernel = pair(layer, c, "kernel_size", 0);
    int in = shapes.get(from).size(1);
    int multiplier = c.path("depth_multiplier").asInt(1);
    if (multiplier < 1) {
      throw new Unsupported("layer " + layer + " has depth_multiplier " + multiplier);
    }
    boolean bias = biased && c.path("use_bias").asBoolean(true);
    ConvolutionSpec spec = spec(layer, c, from, kernel, in);
    int k = in * multiplier;
    emit(name, new Convolution(k, kernel[0], kernel[1], spec, bias), List.of(from));
    HostTensor w = weights.read(layer, weight, Shape.of(kernel[0], kernel[1], in, multiplier));
    HostTensor kcrs = permute(w, 2, 3, 0, 1);
    parameters.put(
        name + ".weight", new HostTensor(Shape.of(k, 1, kernel[0], kernel[1]), kcrs.data()));
    bias(layer, name, k, bias);
    if (biased) {
      activation(name, c);
    }
  }

  private void separable(String name, JsonNode c, String from) {
    String first = name + ".depthwise";
    depthwise(name, first, "depthwise_kernel", c, from, false);
    int in = shapes.get(first).size(1);
    int k = positive(name, c, "filters");
    boolean bias = c.path("use_bias").asBoolean(true);
    emit(name, new Convolution(k, 1, 1, ConvolutionSpec.of(1, 0), bias), List.of(first));
    HostTensor w = weights.read(name, "pointwise_kernel", Shape.of(1, 1, in, k));
    parameters.put(name + ".weight", permute(w, 3, 2, 0, 1));
    bias(name, name, k, bias);
    activation(name, c);
  }

  private void transposed(String name, JsonNode c, String from) {
    int k = positive(name, c, "filters");
    int[] kernel = pair(name, c, "kernel_size", 0);
    int[] stride = pair(name, c, "strides", 1);
    int[] dilation = pair(name, c, "dilation_rate", 1);
    boolean same = same(name, c);
    int in = shapes.get(from).size(1);
    int[] begin = new int[2];
    int[] end = new int[2];
    int[] extra = new int[2];
    for (int i = 0; i < 2; i++) {
      int reach = dilation[i] * (kernel[i] - 1) + 1;
      int surplus = reach - stride[i]; // SAME: the output is input times stride
      begin[i] = same ? Math.max(surplus, 0) / 2 : 0;
      end[i] = same ? Math.max(surplus, 0) - begin[i] : 0;
      extra[i] = Math.max(-surplus, 0);
    }
    ConvolutionSpec spec =
        new ConvolutionSpec(
            stride[0], stride[1], begin[0], begin[1], end[0], end[1], dilation[0], dilation[1], 1);
    if (!c.path("output_padding").isNull() && !c.path("output_padding").isMissingNode()) {
      throw new Unsupported("layer " + name + " has output_padding, which is not supported");
    }
    boolean bias = c.path("use_bias").asBoolean(true);
    emit(
        name,
        new TransposedConvolution(k, kernel[0], kernel[1], spec, extra[0], extra[1], bias),
        List.of(from));
    HostTensor w = weights.read(name, "kernel", Shape.of(kernel[0], kernel[1], k, in));
    parameters.put(name + ".weight", permute(w, 3, 2, 0, 1));
    bias(name, name, k, bias);
    activation(name, c);
  }

  private void norm(String name, JsonNode c, String from) {
    int rank = shapes.get(from).rank();
    JsonNode axis = c.path("axis").isArray() ? c.path("axis").path(0) : c.path("axis");
    int a = axis.asInt(-1);
    if (a != -1 && a != rank - 1) {
      throw new Unsupported("layer " + name + " normalises axis " + a + "; expected the channels");
    }
    Shape s = Shape.of(shapes.get(from).dim(1));
    float eps = (float) c.path("epsilon").asDouble(1e-3);
    float momentum = (float) (1 - c.path("momentum").asDouble(0.99));
    emit(name, new BatchNorm(eps, momentum), List.of(from));
    float[] ones = new float[s.size(0)];
    Arrays.fill(ones, 1);
    Shape before = flattened.get(from);
    parameters.put(
        name + ".weight",
        c.path("scale").asBoolean(true)
            ? ordered(weights.read(name, "gamma", s), before)
            : new HostTensor(s, ones));
    parameters.put(
        name + ".bias",
        c.path("center").asBoolean(true)
            ? ordered(weights.read(name, "beta", s), before)
            : new HostTensor(s, new float[ones.length]));
    parameters.put(name + ".running_mean", ordered(weights.read(name, "moving_mean", s), before));
    parameters.put(
        name + ".running_var", ordered(weights.read(name, "moving_variance", s), before));
  }

  private void dense(String name, JsonNode c, String from) {
    int k = positive(name, c, "units");
    Shape x = shapes.get(from);
    boolean bias = c.path("use_bias").asBoolean(true);
    int in = x.size(1);
    if (x.rank() == 4) {
      // a dense layer works on the last axis: a convolution of one pixel
      emit(name, new Convolution(k, 1, 1, ConvolutionSpec.of(1, 0), bias), List.of(from));
    } else {
      emit(name, new Linear(k, bias), List.of(from));
    }
    HostTensor w = permute(weights.read(name, "kernel", Shape.of(in, k)), 1, 0);
    Shape before = flattened.get(from);
    if (before != null) {
      for (int row = 0; row < k; row++) {
        float[] part = Arrays.copyOfRange(w.data(), row * in, (row + 1) * in);
        float[] turned = ordered(new HostTensor(Shape.of(in), part), before).data();
        System.arraycopy(turned, 0, w.data(), row * in, in);
      }
    }
    parameters.put(
        name + ".weight", x.rank() == 4 ? new HostTensor(Shape.of(k, in, 1, 1), w.data()) : w);
    bias(name, name, k, bias);
    activation(name, c);
  }

  /** A vector over a flattened (C,H,W), from Keras's order H, W, C to ours. */
  private static HostTensor ordered(HostTensor v, Shape before) {
    if (before == null) {
      return v;
    }
    Shape hwc = Shape.of(before.dim(2), before.dim(3), before.dim(1));
    return new HostTensor(v.shape(), permute(new HostTensor(hwc, v.data()), 2, 0, 1).data());
  }

  private void bias(String layer, String node, int k, boolean present) {
    if (present) {
      parameters.put(node + ".bias", weights.read(layer, "bias", Shape.of(k)));
    }
  }

  // ---- layers without
  // ----------------------------------------------------------------------------

  private void activation(String name, JsonNode c) {
    String a = c.path("activation").asText("linear");
    if (!a.equals("linear")) {
      emitActivation(name + ".activation", a, name);
    }
  }

  private void emitActivation(String name, String activation, String from) {
    Op op =
        switch (activation) {
          case "linear" -> new Identity();
          case "relu" -> new Activate(Activation.RELU);
          case "relu6" -> new Activate(Activation.RELU6);
          case "softmax" -> new Softmax();
          case "sigmoid" -> new Elementwise(ElementwiseSpec.of(Kind.SIGMOID));
          case "tanh" -> new Elementwise(ElementwiseSpec.of(Kind.TANH));
          case "elu" -> new Elementwise(new ElementwiseSpec(Kind.ELU, 1, 0));
          case "swish", "silu" -> new Elementwise(ElementwiseSpec.of(Kind.SILU));
          case "gelu" -> new Elementwise(ElementwiseSpec.of(Kind.GELU));
          case "hard_sigmoid" ->
              new Elementwise(new ElementwiseSpec(Kind.HARD_SIGMOID, 0.2f, 0.5f));
          default ->
              throw new Unsupported(
                  "layer " + name + " has activation " + activation + ", which is not supported");
        };
    emit(name, op, List.of(from));
  }

  private void function(String name, ElementwiseSpec f, String from) {
    emit(name, new Elementwise(f), List.of(from));
  }

  private void relu(String name, JsonNode c, String from) {
    double threshold = c.path("threshold").asDouble(0);
    double slope = c.path("negative_slope").asDouble(0);
    boolean bounded = c.path("max_value").isNumber();
    float top = (float) c.path("max_value").asDouble();
    if (threshold != 0 || slope != 0 && bounded) {
      throw new Unsupported("layer " + name + ": this form of ReLU is not supported");
    }
    if (slope != 0) {
      function(name, new ElementwiseSpec(Kind.LEAKY_RELU, (float) slope, 0), from);
    } else if (bounded && top != 6) {
      function(name, new ElementwiseSpec(Kind.CLIP, 0, top), from);
    } else {
      emitActivation(name, bounded ? "relu6" : "relu", from);
    }
  }

  private void pool(String type, String name, JsonNode c, String from) {
    int[] size = pair(name, c, "pool_size", 2);
    int[] stride = c.path("strides").isNull() ? size : pair(name, c, "strides", size[0]);
    int[] p = padding(name, c, from, size, stride, new int[] {1, 1});
    PoolSpec.Kind kind = type.startsWith("Max") ? PoolSpec.Kind.MAX : PoolSpec.Kind.AVERAGE;
    emit(
        name,
        new Pool(
            new PoolSpec(kind, size[0], size[1], stride[0], stride[1], p[0], p[1], p[2], p[3])),
        List.of(from));
  }

  private void globalPool(String type, String name, JsonNode c, String from) {
    PoolSpec.Kind kind = type.contains("Max") ? PoolSpec.Kind.MAX : PoolSpec.Kind.AVERAGE;
    boolean keep = c.path("keepdims").asBoolean(false);
    String pooled = keep ? name : name + ".pool";
    emit(pooled, new GlobalPool(kind), List.of(from));
    if (!keep) {
      emit(name, new Flatten(), List.of(pooled));
    }
  }

  private void flatten(String name, String from) {
    Shape s = shapes.get(from);
    emit(name, new Flatten(), List.of(from));
    if (s.rank() == 4 && s.dim(2) * s.dim(3) > 1 && s.dim(1) > 1) {
      flattened.put(name, s);
    }
  }

  /** To a flat vector, or to one pixel, as squeeze-and-excitation writes it. */
  private void reshape(String name, JsonNode c, String from) {
    Shape x = shapes.get(from);
    JsonNode t = c.path("target_shape");
    boolean flat = t.size() == 1;
    boolean pixel = t.size() == 3 && t.path(0).asInt() == 1 && t.path(1).asInt() == 1;
    boolean fromPixel = x.rank() == 4 && x.dim(2) * x.dim(3) == 1;
    if (flat) {
      flatten(name, from);
    } else if (pixel && fromPixel) {
      emit(name, new Identity(), List.of(from));
    } else if (pixel && x.elements() == x.dim(1) && onOnePixel(from)) {
      emit(name, new Identity(), List.of(from));
    } else {
      throw new Unsupported("layer " + name + " reshapes to " + t + ", which is not supported");
    }
  }

  /**
   * Makes a chain of dense layers and functions that nothing else reads one of 1x1 convolutions,
   * from the flatten of a single pixel on: the dense layers of squeeze-and-excitation.
   *
   * @return false where it is no such chain; then nothing is changed
   */
  private boolean onOnePixel(String end) {
    List<Integer> chain = new ArrayList<>();
    for (String at = end; ; at = nodes.get(chain.get(chain.size() - 1)).inputs().get(0)) {
      String name = at;
      int i = 0;
      while (!nodes.get(i).name().equals(name)) {
        i++;
      }
      long readers = nodes.stream().filter(n -> n.inputs().contains(name)).count();
      Op op = nodes.get(i).op();
      boolean flat = op instanceof Flatten;
      if (readers > (name.equals(end) ? 0 : 1)
          || !flat
              && !(op instanceof Linear
                  || op instanceof Activate
                  || op instanceof Elementwise
                  || op instanceof Identity)) {
        return false;
      }
      chain.add(i);
      if (flat) {
        Shape source = shapes.get(nodes.get(i).inputs().get(0));
        if (source.elements() != source.dim(1)) {
          return false;
        }
        break;
      }
    }
    for (int i : chain) {
      Node n = nodes.get(i);
      Op op = n.op() instanceof Flatten ? new Identity() : n.op();
      if (op instanceof Linear l) {
        op = new Convolution(l.outFeatures(), 1, 1, ConvolutionSpec.of(1, 0), l.bias());
        HostTensor w = parameters.get(n.name() + ".weight");
        Shape kc11 = Shape.of(w.shape().dim(0), w.shape().dim(1), 1, 1);
        parameters.put(n.name() + ".weight", new HostTensor(kc11, w.data()));
      }
      nodes.set(i, new Node(n.name(), op, n.inputs()));
      shapes.put(n.name(), Shape.of(1, shapes.get(n.name()).dim(1), 1, 1));
    }
    return true;
  }

  /** Two inputs at a time. */
  private void fold(String name, Op op, List<String> in) {
    String left = in.get(0);
    for (int i = 1; i < in.size(); i++) {
      String part = i == in.size() - 1 ? name : name + "." + i;
      emit(part, op, List.of(left, in.get(i)));
      left = part;
    }
    if (in.size() == 1) {
      emit(name, new Identity(), in);
    }
  }

  private void multiply(String name, List<String> in) {
    boolean factorFirst =
        in.size() == 2 && shapes.get(in.get(0)).elements() < shapes.get(in.get(1)).elements();
    fold(name, new Multiply(), factorFirst ? List.of(in.get(1), in.get(0)) : in);
  }

  private void concatenate(String name, JsonNode c, List<String> in) {
    int axis = c.path("axis").asInt(-1);
    int rank = shapes.get(in.get(0)).rank();
    if (axis != -1 && axis != rank - 1) {
      throw new Unsupported("layer " + name + " joins axis " + axis + "; expected the channels");
    }
    if (in.stream().anyMatch(flattened::containsKey)) {
      throw new Unsupported("layer " + name + " joins flattened images, which is not supported");
    }
    emit(name, new Concat(), in);
  }

  private void upsample(String name, JsonNode c, String from) {
    int[] size = pair(name, c, "size", 2);
    Shape x = shapes.get(from);
    boolean nearest = c.path("interpolation").asText("nearest").equals("nearest");
    ResizeSpec spec =
        new ResizeSpec(
            Math.multiplyExact(x.size(2), size[0]),
            Math.multiplyExact(x.size(3), size[1]),
            nearest ? ResizeSpec.Mode.NEAREST : ResizeSpec.Mode.BILINEAR,
            nearest ? ResizeSpec.Coordinates.ASYMMETRIC : ResizeSpec.Coordinates.HALF_PIXEL);
    emit(name, new Resize(spec), List.of(from));
  }

  // ---- geometry
  // ----------------------------------------------------------------------------------

  private ConvolutionSpec spec(String name, JsonNode c, String from, int[] kernel, int groups) {
    int[] stride = pair(name, c, "strides", 1);
    int[] dilation = pair(name, c, "dilation_rate", 1);
    int[] p = padding(name, c, from, kernel, stride, dilation);
    return new ConvolutionSpec(
        stride[0], stride[1], p[0], p[1], p[2], p[3], dilation[0], dilation[1], groups);
  }

  private boolean same(String name, JsonNode c) {
    String padding = c.path("padding").asText("valid");
    if (!padding.equals("same") && !padding.equals("valid")) {
      throw new Unsupported("layer " + name + " has padding " + padding + "; expected same, valid");
    }
    return padding.equals("same");
  }

  /** Top, left, bottom, right. SAME: ceil(size / stride) outputs, the odd pixel at the end. */
  private int[] padding(
      String name, JsonNode c, String from, int[] kernel, int[] stride, int[] dilation) {
    Shape x = shapes.get(from);
    if (x.rank() != 4) {
      throw new Unsupported("layer " + name + " reads " + x + "; expected an image");
    }
    int[] p = new int[4];
    if (same(name, c)) {
      for (int i = 0; i < 2; i++) {
        int size = x.size(2 + i);
        int out = (size + stride[i] - 1) / stride[i];
        int reach = dilation[i] * (kernel[i] - 1) + 1;
        int total = Math.max((out - 1) * stride[i] + reach - size, 0);
        p[i] = total / 2;
        p[2 + i] = total - total / 2;
      }
    }
    return p;
  }

  /** Two numbers; one number stands for both. */
  private static int[] pair(String name, JsonNode c, String field, int otherwise) {
    JsonNode v = c.path(field);
    int first = v.isArray() ? v.path(0).asInt() : v.asInt(otherwise);
    int second = v.isArray() ? v.path(1).asInt() : first;
    if (first < 1 || second < 1 || first > 1 << 16 || second > 1 << 16) {
      throw new Unsupported("layer " + name + " has " + field + " " + v);
    }
    return new int[] {first, second};
  }

  /** Top, bottom, left, right. */
  private static int[] sides(JsonNode v) {
    int[] out = new int[4];
    for (int i = 0; i < 4; i++) {
      JsonNode axis = v.isArray() ? v.path(i / 2) : v;
      out[i] = axis.isArray() ? axis.path(i % 2).asInt() : axis.asInt();
      if (out[i] < 0 || out[i] > 1 << 16) {
        throw new Unsupported("a border of " + v + " is not supported");
      }
    }
    return out;
  }

  private static int positive(String name, JsonNode c, String field) {
    int v = c.path(field).asInt(0);
    if (v < 1 || v > 1 << 20) {
      throw new Unsupported("layer " + name + " has " + field + " " + c.path(field));
    }
    return v;
  }

  /** The tensor with its axes in another order. */
  private static HostTensor permute(HostTensor t, int... axes) {
    int rank = axes.length;
    long[] dims = new long[rank];
    int[] step = new int[rank];
    for (int i = 0; i < rank; i++) {
      dims[i] = t.shape().dim(axes[i]);
      step[i] = 1;
      for (int j = axes[i] + 1; j < rank; j++) {
        step[i] *= t.shape().size(j);
      }
    }
    float[] out = new float[t.data().length];
    int[] at = new int[rank];
    int from = 0;
    for (int i = 0; i < out.length; i++) {
      out[i] = t.data()[from];
      for (int a = rank - 1; a >= 0; a--) {
        from += step[a];
        if (++at[a] < dims[a]) {
          break;
        }
        from -= step[a] * at[a];
        at[a] = 0;
      }
    }
    return new HostTensor(Shape.of(dims), out);
  }
}
