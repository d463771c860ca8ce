package dev.secateur.nn;

import dev.secateur.tensor.HostTensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A network as it lies in a file: structure, parameters by PyTorch-style name ({@code
 * layer1.0.conv1.weight}), and free metadata (architecture, class names, how it was made).
 */
public record Model(Graph graph, Map<String, HostTensor> parameters, Map<String, String> metadata) {
  public Model {
    parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
    metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
  }

  /** The same network with one more line of metadata, behind those already there. */
  public Model with(String key, String line) {
    Map<String, String> all = new LinkedHashMap<>(metadata);
    all.merge(key, line, (a, b) -> a + "\n" + b);
    return new Model(graph, parameters, all);
  }
}
