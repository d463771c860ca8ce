package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Op;
import java.util.ArrayList;
import java.util.List;

/** Appends nodes; each reads the last one unless said otherwise. */
final class GraphBuilder {
  final List<Node> nodes = new ArrayList<>();

  /** The node that the next one reads; may be set to branch. */
  String last = "";

  private BatchNorm norm = new BatchNorm(1e-5f, 0.1f);

  void add(String name, Op op) {
    nodes.add(new Node(name, op, last.isEmpty() ? List.of() : List.of(last)));
    last = name;
  }

  /** A square convolution without bias that keeps the size, but for its stride. */
  void conv(String name, int out, int kernel, int stride) {
    conv(name, out, kernel, stride, 1);
  }

  void conv(String name, int out, int kernel, int stride, int groups) {
    int pad = kernel / 2;
    ConvolutionSpec spec = new ConvolutionSpec(stride, stride, pad, pad, pad, pad, 1, 1, groups);
    add(name, new Convolution(out, kernel, kernel, spec, false));
  }

  /** What the batch norms that follow are like. */
  void norms(float eps, float momentum) {
    norm = new BatchNorm(eps, momentum);
  }

  void norm(String name) {
    add(name, norm);
  }

  /** NAME.0, a convolution, and NAME.1, its norm, with an activation or none behind. */
  void unit(String name, int out, int kernel, int stride, int groups, Op... activation) {
    conv(name + ".0", out, kernel, stride, groups);
    norm(name + ".1");
    for (Op a : activation) {
      add(name + ".2", a);
    }
  }

  /** Squeeze-and-excitation (arXiv 1709.01507) of the last node, as torchvision names it. */
  void gate(String name, int channels, int squeeze, Op inner, Op outer) {
    String x = last;
    add(name + ".avgpool", new GlobalPool(PoolSpec.Kind.AVERAGE));
    add(name + ".fc1", new Convolution(squeeze, 1, 1, ConvolutionSpec.of(1, 0), true));
    add(name + ".activation", inner);
    add(name + ".fc2", new Convolution(channels, 1, 1, ConvolutionSpec.of(1, 0), true));
    add(name + ".scale_activation", outer);
    nodes.add(new Node(name, new Multiply(), List.of(x, last)));
    last = name;
  }

  /** The multiple of a divisor that is next to a number and not more than a tenth below it. */
  static int divisible(double number, int divisor) {
    int near = Math.max(divisor, (int) (number + divisor / 2.0) / divisor * divisor);
    return near < 0.9 * number ? near + divisor : near;
  }

  void relu(String name) {
    add(name, new Activate(Activation.RELU));
  }

  /** The sum of two nodes. */
  void join(String name, String a, String b) {
    nodes.add(new Node(name, new Add(), List.of(a, b)));
    last = name;
  }

  void concat(String name, List<String> parts) {
    nodes.add(new Node(name, new Concat(), parts));
    last = name;
  }

  /** Average over height and width, flatten, linear. */
  void head(String name, int classes) {
    add("avgpool", new GlobalPool(PoolSpec.Kind.AVERAGE));
    add("flatten", new Flatten());
    add(name, new Linear(classes, true));
  }
}
