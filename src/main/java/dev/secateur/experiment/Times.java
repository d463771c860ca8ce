package dev.secateur.experiment;

import dev.secateur.bench.Benchmark;
import dev.secateur.device.Device;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.prune.Surgery;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Times the networks of an experiment. What a network takes depends on its channel counts alone, so
 * each set of counts is built once, from the original's parameters, and timed in turn with the
 * original.
 */
final class Times {
  /** So many networks take turns at once, the original among them. */
  private static final int TOGETHER = 16;

  private Times() {}

  /**
   * @return by {@link #key}
   */
  static Map<String, Benchmark.Row> measure(
      Device device, Model original, List<CellResult> results, Plan.Timing timing)
      throws IOException {
    Map<String, Model> networks = new LinkedHashMap<>();
    for (CellResult r : results) {
      Model m = original;
      for (CellResult.Step s : r.steps()) {
        m = Surgery.remove(m, s.removed());
        networks.putIfAbsent(widths(m.graph()), m);
      }
    }
    Map<String, Benchmark.Row> byWidths = new LinkedHashMap<>();
    List<String> names = List.copyOf(networks.keySet());
    for (int from = 0; from < names.size(); from += TOGETHER - 1) {
      List<String> part = names.subList(from, Math.min(names.size(), from + TOGETHER - 1));
      List<Model> models = new ArrayList<>(List.of(original));
      part.forEach(n -> models.add(networks.get(n)));
      List<Benchmark.Row> rows = Benchmark.inference(device, models, timing.batch(), timing.runs());
      for (int i = 0; i < part.size(); i++) {
        byWidths.put(part.get(i), rows.get(i + 1));
      }
    }
    Map<String, Benchmark.Row> out = new LinkedHashMap<>();
    for (CellResult r : results) {
      Graph g = original.graph();
      for (CellResult.Step s : r.steps()) {
        g = Surgery.shrink(g, s.removed());
        out.put(key(r, s), byWidths.get(widths(g)));
      }
    }
    return out;
  }

  static String key(CellResult r, CellResult.Step s) {
    return String.format(
        Locale.ROOT,
        "%s-ratio%s-seed%d-iteration%d",
        r.criterion(),
        r.ratio(),
        r.seed(),
        s.iteration());
  }

  private static String widths(Graph g) {
    return g.nodes().stream().map(n -> g.shape(n.name()).toString()).toList().toString();
  }
}
