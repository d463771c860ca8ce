package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;

/** The normalisation of pixels as y = x scale + shift: scale = 1 / std, shift = -mean / std. */
record InputScale(Tensor scale, Tensor shift) {

  static InputScale of(Network net, Arena arena) {
    String input = net.graph().input().name();
    Tensor mean = net.parameter(input + ".mean");
    float[] m = net.device().downloadFloats(mean);
    float[] scale = net.device().downloadFloats(net.parameter(input + ".std"));
    for (int i = 0; i < m.length; i++) {
      scale[i] = 1 / scale[i];
      m[i] = -m[i] * scale[i];
    }
    Tensor s = arena.allocate(mean.shape(), DType.F32, Layout.PLAIN);
    Tensor t = arena.allocate(mean.shape(), DType.F32, Layout.PLAIN);
    net.device().upload(scale, s);
    net.device().upload(m, t);
    return new InputScale(s, t);
  }
}
