package dev.secateur.io.keras;

import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import io.jhdf.HdfFile;
import io.jhdf.api.Attribute;
import io.jhdf.api.Dataset;
import io.jhdf.api.Group;
import io.jhdf.api.Node;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The weights of Keras layers in an HDF5 file: by names, as Keras 2's {@code save_weights} and
 * {@code save} write, or numbered by layer, as Keras 3's archives and {@code .weights.h5} have it
 * (keras/src/saving/saving_lib.py).
 */
final class KerasWeights {
  /** Where models have their layers, since Keras 2.14 and before. */
  private static final String[] LAYERS = {"layers", "_layer_checkpoint_dependencies"};

  private final Group layers;
  private final String numbered;

  /** Of each layer, how many were read. */
  private final Map<String, Integer> read = new HashMap<>();

  /**
   * @param file open while weights are read
   */
  KerasWeights(HdfFile file) {
    Node whole = file.getChildren().get("model_weights");
    layers = whole instanceof Group g ? g : file;
    String found = "";
    for (String folder : LAYERS) {
      boolean named = layers.getAttribute("layer_names") != null;
      if (found.isEmpty() && !named && layers.getChildren().get(folder) instanceof Group) {
        found = folder;
      }
    }
    numbered = found;
  }

  /** The model's JSON, which files of whole models carry. */
  static Optional<String> configuration(HdfFile file) {
    return attribute(file, "model_config");
  }

  /** The version that wrote a file; empty where it does not say. */
  static String version(HdfFile file) {
    return attribute(file, "keras_version").orElse("");
  }

  private static Optional<String> attribute(HdfFile file, String name) {
    return Optional.ofNullable(file.getAttribute(name))
        .map(Attribute::getData)
        .map(Object::toString);
  }

  /**
   * One array of a layer, of any rank. Numbered ones are read in the order in which the layer made
   * them: kernel, bias; depthwise, pointwise, bias; gamma, beta, moving mean, moving variance.
   *
   * @param weight Keras's name for it: kernel, bias, gamma, beta, moving_mean, moving_variance
   * @throws IllegalArgumentException where it is missing, of another shape or not of floats
   */
  HostTensor read(KerasConfig.Stored layer, String weight, Shape expected) {
    Dataset d = numbered.isEmpty() ? named(layer, weight) : next(layer, weight);
    Shape found = Shape.of(longs(d.getDimensions()));
    String what = layer.own() + "/" + weight;
    if (!found.equals(expected)) {
      throw new IllegalArgumentException(what + " is " + found + ", expected " + expected);
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
    throw new IllegalArgumentException(what + " does not hold floats");
  }

  /** Arrays of a layer are read from the first on again: it is called once more. */
  void again(KerasConfig.Stored layer) {
    read.remove(place(layer));
  }

  private String place(KerasConfig.Stored layer) {
    return layer.path().replaceAll("(^|/)layers/", "$1" + numbered + "/") + "/vars";
  }

  private Dataset next(KerasConfig.Stored layer, String weight) {
    String path = place(layer);
    int at = read.merge(path, 1, Integer::sum) - 1;
    Node here = layers;
    for (String part : path.split("/")) {
      here = here instanceof Group g ? g.getChildren().get(part) : null;
    }
    if (!(here instanceof Group vars)) {
      throw new IllegalArgumentException(
          "it has no weights for layer " + layer.own() + ", expected at " + path);
    }
    if (vars.getChildren().get(Integer.toString(at)) instanceof Dataset d) {
      return d;
    }
    throw new IllegalArgumentException(
        "layer " + layer.own() + " has no " + weight + ", expected at " + path + "/" + at);
  }

  /** A layer of an inner model has its weights among the outer layer's, behind its own name. */
  private Dataset named(KerasConfig.Stored layer, String weight) {
    Node group = layers.getChildren().get(layer.group());
    if (!(group instanceof Group g)) {
      throw new IllegalArgumentException("it has no weights for layer " + layer.group());
    }
    Attribute names = g.getAttribute("weight_names");
    if (names != null && names.getData() instanceof String[] list) {
      for (String name : list) {
        String[] parts = name.split("/");
        String last = parts[parts.length - 1].replaceFirst(":0$", "");
        boolean here =
            !layer.inner() || parts.length > 1 && parts[parts.length - 2].equals(layer.own());
        boolean same = last.equals(weight) || weight.equals("depthwise_" + last);
        if (here && same && g.getByPath(name) instanceof Dataset d) {
          return d;
        }
      }
    }
    throw new IllegalArgumentException("layer " + layer.own() + " has no " + weight);
  }

  private static long[] longs(int[] dims) {
    long[] out = new long[dims.length];
    for (int i = 0; i < dims.length; i++) {
      out[i] = dims[i];
    }
    return out;
  }
}
