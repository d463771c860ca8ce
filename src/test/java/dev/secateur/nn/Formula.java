package dev.secateur.nn;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.Arrays;
import java.util.Optional;

/** Numbers by a formula of name and index, as scripts/make-architecture-fixtures.py has them. */
public final class Formula {
  private Formula() {}

  /** A parameter of a PyTorch module, or our input's normalisation. */
  public static HostTensor value(String name, Shape shape) {
    if (name.equals("input.mean")) {
      return new HostTensor(shape, new float[] {0.485f * 255, 0.456f * 255, 0.406f * 255});
    }
    if (name.equals("input.std")) {
      return new HostTensor(shape, new float[] {0.229f * 255, 0.224f * 255, 0.225f * 255});
    }
    double[] u = uniform(name, (int) shape.elements());
    float[] v = new float[u.length];
    double scale = shape.rank() > 1 ? Math.sqrt(24.0 * shape.dim(0) / shape.elements()) : 0.2;
    boolean positive = name.endsWith(".weight") || name.endsWith(".running_var");
    for (int i = 0; i < v.length; i++) {
      v[i] = (float) (shape.rank() == 1 && positive ? 0.5 + u[i] : (u[i] - 0.5) * scale);
    }
    return new HostTensor(shape, v);
  }

  /** The first logits of a model for the formula's image of a size, on the CPU. */
  public static float[] logits(Model model, int size, int count) {
    byte[] pixels = new byte[3 * size * size];
    double[] u = uniform("pixels", pixels.length);
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (u[i] * 256);
    }
    try (Device device = new CpuDevice();
        Network net = new Network(device, model);
        InferenceProgram p = InferenceProgram.compile(net, 1, Optional.empty());
        HostBuffer host = device.hostBuffer(p.pixels().bytes())) {
      host.bytes().put(0, pixels);
      device.upload(host, p.pixels());
      p.run();
      return Arrays.copyOf(device.downloadFloats(p.output()), count);
    }
  }

  /** The numbers of a list. */
  public static float[] floats(JsonNode list) {
    float[] out = new float[list.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) list.get(i).asDouble();
    }
    return out;
  }

  private static double[] uniform(String name, int n) {
    double[] out = new double[n];
    for (int i = 0; i < n; i++) {
      int x = (int) (i * 2654435761L) + name.hashCode();
      x ^= x >>> 16;
      x *= 0x85EBCA6B;
      x ^= x >>> 13;
      out[i] = Integer.toUnsignedLong(x) / 4294967296.0;
    }
    return out;
  }
}
