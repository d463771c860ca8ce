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
import dev.secateur.nn.SharedParameters;
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
import java.util.Optional;

/** Builds our graph from Keras layers, one after the other. */
final class KerasLayers {
  private static final String INPUT = "input";

  /** What pixels from 0 to 255 are multiplied by lies below; 1 / 255 and 1 / 127.5 are usual. */
  private static final double LARGEST_OF_PIXELS = 0.1;

  private final KerasWeights weights;
  private final List<Node> nodes = new ArrayList<>();
  private final Map<String, HostTensor> parameters = new LinkedHashMap<>();

  /** Our node that carries a Keras layer's output. */
  private final Map<String, String> outputs = new LinkedHashMap<>();

  private final Map<String, Shape> shapes = new LinkedHashMap<>();

  /** Flattened values of more than one pixel, with the shape they had. */
  private final Map<String, Shape> flattened = new LinkedHashMap<>();

  /** Of the layer that is being added. */
  private KerasConfig.Stored stored;

  private boolean channelsFirst;
  private boolean three;
  private boolean rawPixels;

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
  Model model(KerasConfig config, Map<String, String> metadata) {
    Map<String, List<String>> calls = new LinkedHashMap<>();
    three = config.three();
    channelsFirst = channelsFirst(config.layers());
    for (KerasConfig.Layer layer : config.layers()) {
      stored = layer.stored();
      int before = nodes.size();
      if (layer.type().equals("InputLayer")) {
        input(layer.name(), layer.config());
      } else {
        weights.again(stored);
        add(layer, layer.inputs().stream().map(outputs::get).toList());
      }
      for (Node n : nodes.subList(before, nodes.size())) {
        if (n.name().startsWith(layer.name())) {
          String first = layer.first() + n.name().substring(layer.name().length());
          calls.computeIfAbsent(first, f -> new ArrayList<>()).add(n.name());
        }
      }
    }
    Graph whole = withoutSoftmax(outputs.get(config.output()));
    Graph graph =
        SharedParameters.in(
            whole, parameters, calls.values().stream().filter(c -> c.size() > 1).toList());
    parameters.keySet().retainAll(ParameterShapes.of(graph).keySet());
    Map<String, String> all = new LinkedHashMap<>(metadata);
    all.put("framework", "keras");
    if (rawPixels) {
      all.put(KerasImport.RAW_PIXELS, "true");
    }
    return new Model(graph, parameters, all);
  }

  /** One order of axes for all layers; a flatten says itself in which order it lays out. */
  private static boolean channelsFirst(List<KerasConfig.Layer> layers) {
    Optional<KerasConfig.Layer> one = Optional.empty();
    for (KerasConfig.Layer layer : layers) {
      if (layer.config().has("data_format") && !layer.type().equals("Flatten")) {
        if (one.isPresent() && first(layer) != first(one.get())) {
          throw new Unsupported(
              "layer "
                  + layer.name()
                  + " is "
                  + layer.config().path("data_format").asText()
                  + ", unlike layer "
                  + one.get().name()
                  + "; expected one order of axes");
        }
        one = Optional.of(layer);
      }
    }
    return one.isPresent() && first(one.get());
  }

  private static boolean first(KerasConfig.Layer layer) {
    return layer.config().path("data_format").asText().equals("channels_first");
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
      hwc[i] = shape.path(1 + (channelsFirst ? (i + 1) % 3 : i)).asInt(0);
      if (shape.size() != 4 || hwc[i] <= 0) {
        throw new Unsupported(
            "layer "
                + name
                + " has input shape "
                + shape
                + "; expected "
                + (channelsFirst ? "(N, C, height, width)" : "(N, height, width, C)"));
      }
    }
    emit(INPUT, new Input(hwc[2], hwc[0], hwc[1]), List.of());
    outputs.put(name, INPUT);
    float[] std = new float[hwc[2]];
    Arrays.fill(std, 255);
    parameters.put(INPUT + ".mean", new HostTensor(Shape.of(hwc[2]), new float[hwc[2]]));
    parameters.put(INPUT + ".std", new HostTensor(Shape.of(hwc[2]), std));
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

  private void add(KerasConfig.Layer layer, List<String> in) {
    String type = layer.type();
    String name = layer.name();
    JsonNode c = layer.config();
    if (in.isEmpty()) {
      throw new Unsupported("layer " + name + " reads nothing");
    }
    String from = in.get(0);
    if (type.equals("Rescaling") || type.equals("Normalization")) {
      scaled(type, name, c, from);
      outputs.put(name, from);
      return;
    }
    switch (type) {
      case "Conv2D", "Convolution2D" -> convolution(name, c, from);
      case "DepthwiseConv2D" -> depthwise(name, name, "depthwise_kernel", c, from, true);
      case "SeparableConv2D" -> separable(name, c, from);
      case "Conv2DTranspose" -> transposed(name, c, from);
      case "BatchNormalization" -> norm(name, c, from);
      case "Dense" -> dense(name, c, from);
      case "MaxPooling2D", "AveragePooling2D" -> pool(type, name, c, from);
      case "GlobalAveragePooling2D", "GlobalMaxPooling2D" -> globalPool(type, name, c, from);
      case "Flatten" -> flatten(name, c, from);
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
      default -> {
        if (!activationLayer(type, name, c, from)) {
          throw new Unsupported(
              "layer " + name + " is a " + type + ", which is not supported; remove or replace it");
        }
      }
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
    HostTensor w = read("kernel", Shape.of(kernel[0], kernel[1], in / groups, k));
    parameters.put(name + ".weight", permute(w, 3, 2, 0, 1));
    bias(name, k, bias);
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
    HostTensor w = read(weight, Shape.of(kernel[0], kernel[1], in, multiplier));
    HostTensor kcrs = permute(w, 2, 3, 0, 1);
    parameters.put(
        name + ".weight", new HostTensor(Shape.of(k, 1, kernel[0], kernel[1]), kcrs.data()));
    bias(name, k, bias);
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
    HostTensor w = read("pointwise_kernel", Shape.of(1, 1, in, k));
    parameters.put(name + ".weight", permute(w, 3, 2, 0, 1));
    bias(name, k, bias);
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
    HostTensor w = read("kernel", Shape.of(kernel[0], kernel[1], k, in));
    parameters.put(name + ".weight", permute(w, 3, 2, 0, 1));
    bias(name, k, bias);
    activation(name, c);
  }

  private void norm(String name, JsonNode c, String from) {
    JsonNode axis = c.path("axis").isArray() ? c.path("axis").path(0) : c.path("axis");
    if (!isChannels(axis.asInt(-1), from)) {
      throw new Unsupported(
          "layer " + name + " normalises axis " + axis.asInt(-1) + "; expected the channels");
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
            ? ordered(read("gamma", s), before)
            : new HostTensor(s, ones));
    parameters.put(
        name + ".bias",
        c.path("center").asBoolean(true)
            ? ordered(read("beta", s), before)
            : new HostTensor(s, new float[ones.length]));
    parameters.put(name + ".running_mean", ordered(read("moving_mean", s), before));
    parameters.put(name + ".running_var", ordered(read("moving_variance", s), before));
  }

  /** Whether an axis of a layer's output, counted from the end where below 0, is its channels. */
  private boolean isChannels(int axis, String node) {
    int rank = shapes.get(node).rank();
    return (axis < 0 ? axis + rank : axis) == (channelsFirst ? 1 : rank - 1);
  }

  private void dense(String name, JsonNode c, String from) {
    int k = positive(name, c, "units");
    Shape x = shapes.get(from);
    boolean bias = c.path("use_bias").asBoolean(true);
    int in = x.size(1);
    if (x.rank() == 4 && channelsFirst) {
      throw new Unsupported("layer " + name + " reads the width of images; expected channels last");
    }
    if (x.rank() == 4) {
      // a dense layer works on the last axis: a convolution of one pixel
      emit(name, new Convolution(k, 1, 1, ConvolutionSpec.of(1, 0), bias), List.of(from));
    } else {
      emit(name, new Linear(k, bias), List.of(from));
    }
    HostTensor w = permute(read("kernel", Shape.of(in, k)), 1, 0);
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
    bias(name, k, bias);
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

  /**
   * What the image is multiplied by and added to, behind the input and nowhere else: it becomes
   * part of the input's own mean and deviation.
   */
  private void scaled(String type, String name, JsonNode c, String from) {
    boolean read = nodes.stream().anyMatch(n -> n.inputs().contains(INPUT));
    if (!from.equals(INPUT) || read || c.path("invert").asBoolean(false)) {
      throw new Unsupported(
          "layer " + name + " is a " + type + " of what is not the image; remove or replace it");
    }
    float[] mean = parameters.get(INPUT + ".mean").data();
    float[] std = parameters.get(INPUT + ".std").data();
    boolean norm = type.equals("Normalization");
    boolean given = norm && number(c.path("mean"), 0).isPresent();
    HostTensor[] kept = new HostTensor[2];
    for (int i = 0; i < 2 && norm && !given; i++) {
      kept[i] = read(i == 0 ? "mean" : "variance", Shape.of(mean.length));
    }
    for (int i = 0; i < mean.length; i++) {
      double centre;
      double scale;
      if (norm) {
        double variance = given ? number(c.path("variance"), i).orElse(0.0) : kept[1].data()[i];
        centre = given ? number(c.path("mean"), i).orElse(0.0) : kept[0].data()[i];
        scale = 1 / Math.max(Math.sqrt(variance), 1e-7); // keras.config.epsilon()
      } else {
        scale = number(c.path("scale"), i).orElse(0.0);
        centre = -number(c.path("offset"), i).orElse(0.0) / scale;
      }
      if (scale == 0 || !Double.isFinite(scale) || !Double.isFinite(centre)) {
        throw new Unsupported("layer " + name + " multiplies by what is no number, or by 0");
      }
      rawPixels |= !norm && Math.abs(scale) < LARGEST_OF_PIXELS;
      mean[i] = (float) (mean[i] + centre * std[i]);
      std[i] = (float) (std[i] / scale);
    }
  }

  /** One number for all channels, or that of a channel, of a list or an array in a list. */
  private static Optional<Double> number(JsonNode value, int channel) {
    JsonNode v = value.path("config").has("value") ? value.path("config").path("value") : value;
    while (v.isArray() && v.size() == 1) {
      v = v.path(0);
    }
    while (v.isArray() && v.path(0).isArray()) {
      v = v.path(0);
    }
    JsonNode one = v.isArray() ? v.path(channel) : v;
    return one.isNumber() ? Optional.of(one.asDouble()) : Optional.empty();
  }

  private HostTensor read(String weight, Shape expected) {
    return weights.read(stored, weight, expected);
  }

  private void bias(String node, int k, boolean present) {
    if (present) {
      parameters.put(node + ".bias", read("bias", Shape.of(k)));
    }
  }

  // ---- layers without
  // ----------------------------------------------------------------------------

  private void activation(String name, JsonNode c) {
    JsonNode a = c.path("activation");
    if (!a.isMissingNode() && !a.isNull() && !a.asText().equals("linear")) {
      activate(name + ".activation", a, name);
    }
  }

  /** By its name, as a function of that name, or as a layer of its own. */
  private void activate(String name, JsonNode a, String from) {
    JsonNode config = a.path("config");
    String type = a.path("class_name").asText();
    if (a.isTextual() || config.isTextual()) {
      emitActivation(name, a.isTextual() ? a.asText() : config.asText(), from);
    } else if (!activationLayer(type, name, config, from)) {
      throw new Unsupported("layer " + name + " has activation " + a + ", which is not supported");
    }
  }

  private boolean activationLayer(String type, String name, JsonNode c, String from) {
    switch (type) {
      case "Activation" -> activate(name, c.path("activation"), from);
      case "ReLU" -> relu(name, c, from);
      case "LeakyReLU" -> {
        float slope = (float) c.path("alpha").asDouble(c.path("negative_slope").asDouble(0.3));
        function(name, new ElementwiseSpec(Kind.LEAKY_RELU, slope, 0), from);
      }
      case "ELU" ->
          function(
              name, new ElementwiseSpec(Kind.ELU, (float) c.path("alpha").asDouble(1), 0), from);
      case "Softmax" -> emitActivation(name, "softmax", from);
      default -> {
        return false;
      }
    }
    return true;
  }

  private void emitActivation(String name, String activation, String from) {
    if (activation.equals("softmax") && channelsFirst && shapes.get(from).rank() == 4) {
      throw new Unsupported(
          "layer " + name + " is a softmax over the width of images; expected channels last");
    }
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
              new Elementwise(new ElementwiseSpec(Kind.HARD_SIGMOID, three ? 1f / 6 : 0.2f, 0.5f));
          case "hard_silu", "hard_swish" -> new Elementwise(ElementwiseSpec.of(Kind.HARD_SWISH));
          case "leaky_relu" -> new Elementwise(new ElementwiseSpec(Kind.LEAKY_RELU, 0.2f, 0));
          case "mish" -> new Elementwise(ElementwiseSpec.of(Kind.MISH));
          case "softplus" -> new Elementwise(ElementwiseSpec.of(Kind.SOFTPLUS));
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

  /** Channels last, whatever the images are, but for older layers that do not say. */
  private void flatten(String name, JsonNode c, String from) {
    boolean turns = c.path("data_format").asText().equals("channels_first");
    if (turns && !channelsFirst && shapes.get(from).rank() == 4) {
      throw new Unsupported(
          "layer " + name + " is channels_first, unlike the images that it reads");
    }
    flatten(name, turns, from);
  }

  private void flatten(String name, boolean turns, String from) {
    Shape s = shapes.get(from);
    emit(name, new Flatten(), List.of(from));
    boolean ours = channelsFirst && !turns;
    if (!ours && s.rank() == 4 && s.dim(2) * s.dim(3) > 1 && s.dim(1) > 1) {
      flattened.put(name, s);
    }
  }

  /** To a flat vector, or to one pixel, as squeeze-and-excitation writes it. */
  private void reshape(String name, JsonNode c, String from) {
    Shape x = shapes.get(from);
    JsonNode t = c.path("target_shape");
    boolean flat = t.size() == 1;
    int row = channelsFirst ? 1 : 0;
    boolean pixel = t.size() == 3 && t.path(row).asInt() == 1 && t.path(row + 1).asInt() == 1;
    boolean fromPixel = x.rank() == 4 && x.dim(2) * x.dim(3) == 1;
    if (flat) {
      flatten(name, false, from);
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
      nodes.set(i, n.with(op));
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
    if (!isChannels(axis, in.get(0))) {
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
