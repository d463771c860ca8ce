package dev.secateur.io.keras;

import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import io.jhdf.HdfFile;
import io.jhdf.api.Attribute;
import io.jhdf.api.Dataset;
import io.jhdf.api.Group;
import io.jhdf.api.Node;
import java.util.Optional;

/** The weights of Keras layers in an HDF5 file, as {@code save_weights} and {@code save} write. */
final class KerasWeights {
  private final Group layers;

  /**
   * @param file open while weights are read
   */
  KerasWeights(HdfFile file) {
    Node whole = file.getChildren().get("model_weights");
    layers = whole instanceof Group g ? g : file;
  }

  /** The model's JSON, which files of whole models carry. */
  static Optional<String> configuration(HdfFile file) {
    return Optional.ofNullable(file.getAttribute("model_config"))
        .map(Attribute::getData)
        .map(Object::toString);
  }

  /**
   * One array of a layer, of any rank.
   *
   * @param weight Keras's name for it: kernel, bias, gamma, beta, moving_mean, moving_variance
   * @throws IllegalArgumentException where it is missing, of another shape or not of floats
   */
  HostTensor read(String layer, String weight, Shape expected) {
    Dataset d = find(layer, weight);
    Shape found = Shape.of(longs(d.getDimensions()));
    if (!found.equals(expected)) {
      throw new IllegalArgumentException(
          layer + "/" + weight + " is " + found + ", expected " + expected);
    }
    float[] out = new float[Math.toIntExact(expected.elements())];
    Object data = d.getDataFlat();
    if (data instanceof float[] f && f.length == out.length) {
      return new HostTensor(expected, f);
    }
    if (data instanceof double[] f && f.length == out.length) {
      for (int i = 0; i < out.length; i++) {
        out[i] = (float) f[i];
      }
      return new HostTensor(expected, out);
    }
    throw new IllegalArgumentException(layer + "/" + weight + " does not hold floats");
  }

  private Dataset find(String layer, String weight) {
    Node group = layers.getChildren().get(layer);
    if (!(group instanceof Group g)) {
      throw new IllegalArgumentException("it has no weights for layer " + layer);
    }
    Attribute names = g.getAttribute("weight_names");
    if (names != null && names.getData() instanceof String[] list) {
      for (String name : list) {
        String last = name.substring(name.lastIndexOf('/') + 1);
        if ((last.equals(weight + ":0") || last.equals(weight))
            && g.getByPath(name) instanceof Dataset d) {
          return d;
        }
      }
    }
    throw new IllegalArgumentException("layer " + layer + " has no " + weight);
  }

  private static long[] longs(int[] dims) {
    long[] out = new long[dims.length];
    for (int i = 0; i < dims.length; i++) {
      out[i] = dims[i];
    }
    return out;
  }
}
