package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.stream.IntStream;

/** A penalty within a training step: one kernel for all slices, whose strength can change. */
final class PenaltyStep {
  private final Device device;
  private final Kernel kernel;
  private final Tensor strengths;
  private final float[] strength;

  /**
   * @param gradients as {@link Network#flat}, added to
   */
  PenaltyStep(Network net, Penalty penalty, Tensor gradients, Arena arena) {
    device = net.device();
    int[] rows = rows(net, penalty);
    strength = new float[rows.length / 2];
    Tensor places = arena.allocate(Shape.of(strength.length, 2), DType.I32, Layout.PLAIN);
    device.upload(rows, places);
    strengths = arena.floats(strength.length);
    kernel =
        device.training().groupPenalty(net.flat(), gradients, places, strengths, penalty.kind());
    set((float) penalty.at(0));
  }

  /** Where each slice begins in {@link Network#flat}, and its length. */
  private static int[] rows(Network net, Penalty penalty) {
    IntStream.Builder out = IntStream.builder();
    penalty
        .slices()
        .forEach(
            (name, slices) -> {
              Tensor p = net.parameter(name);
              int length = Math.toIntExact(p.elements() / p.shape().dim(0));
              long first = (p.byteOffset() - net.flat().byteOffset()) / p.dtype().bytes();
              for (int slice : slices) {
                out.add(Math.toIntExact(first + (long) slice * length)).add(length);
              }
            });
    return out.build().toArray();
  }

  Kernel kernel() {
    return kernel;
  }

  /** For the launches that follow. */
  void set(float of) {
    if (strength[0] != of) {
      Arrays.fill(strength, of);
      device.upload(strength, strengths);
    }
  }
}
