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
import dev.secateur.nn.op.Op;
import java.util.ArrayList;
import java.util.List;

/** Appends nodes; each reads the last one unless said otherwise. */
final class GraphBuilder {
  final List<Node> nodes = new ArrayList<>();

  /** The node that the next one reads; may be set to branch. */
  String last = "";

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

  void norm(String name) {
    add(name, new BatchNorm(1e-5f, 0.1f));
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
