package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Pool;
import java.util.Map;

/** Simonyan and Zisserman, arXiv 1409.1556, with torchvision's parameter names. */
final class Vgg {
  static final Map<Integer, String> LAYERS =
      Map.of(
          11, "64 M 128 M 256 256 M 512 512 M 512 512 M",
          13, "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
          16, "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
          19, "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M");

  private Vgg() {}

  static void add(GraphBuilder b, String name, int classes) {
    boolean cifar = name.endsWith("_cifar");
    boolean bn = name.contains("_bn");
    int index = 0;
    for (String part : LAYERS.get(Integer.parseInt(name.substring(3, 5))).split(" ")) {
      if (part.equals("M")) {
        b.add("features." + index++, new Pool(PoolSpec.square(PoolSpec.Kind.MAX, 2, 2, 0)));
        continue;
      }
      b.add(
          "features." + index++,
          new Convolution(Integer.parseInt(part), 3, 3, ConvolutionSpec.of(1, 1), true));
      if (bn) {
        b.add("features." + index++, new BatchNorm(1e-5f, 0.1f));
      }
      b.add("features." + index++, new Activate(Activation.RELU));
    }
    b.add("flatten", new Flatten());
    if (cifar) {
      b.add("classifier", new Linear(classes, true));
      return;
    }
    b.add("classifier.0", new Linear(4096, true));
    b.add("classifier.1", new Activate(Activation.RELU));
    b.add("classifier.3", new Linear(4096, true));
    b.add("classifier.4", new Activate(Activation.RELU));
    b.add("classifier.6", new Linear(classes, true));
  }
}
