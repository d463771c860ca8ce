package dev.secateur.cli;

import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.prune.Units;
import dev.secateur.tensor.Shape;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
    name = "info",
    description = "Lists layers, shapes, parameters, MACs, and which channels hang together.")
final class InfoCommand implements Callable<Integer> {
  @Mixin private Common common;
  @Mixin private ModelArgument model;
  @Mixin private ScopeOption scope;

  private record Layer(
      String name, String type, String output, long parameters, long macs, boolean prunable) {}

  @Override
  public Integer call() throws IOException {
    Model m = model.open(common);
    Graph graph = m.graph();
    Units units = scope.units(graph);
    Map<String, Shape> shapes = ParameterShapes.of(graph);
    List<Layer> layers = new ArrayList<>();
    for (Node n : graph.nodes()) {
      long parameters =
          shapes.entrySet().stream()
              .filter(e -> ParameterShapes.trainable(e.getKey()))
              .filter(e -> e.getKey().substring(0, e.getKey().lastIndexOf('.')).equals(n.name()))
              .mapToLong(e -> e.getValue().elements())
              .sum();
      String shape = graph.shape(n.name()).toString();
      layers.add(
          new Layer(
              n.name(),
              n.op().getClass().getSimpleName(),
              shape.substring(shape.indexOf('x') + 1),
              parameters,
              Cost.macs(graph, n),
              units.layers().contains(n.name())));
    }
    Cost cost = Cost.of(graph);
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("parameters", cost.parameters());
    json.put("macs", cost.macs());
    json.put("metadata", m.metadata());
    json.put("layers", layers);
    json.put("scope", scope.scope());
    json.put("groups", units.groups());
    common.print(json, () -> text(layers, units.groups(), cost, m));
    return 0;
  }

  private static String text(List<Layer> layers, List<Units.Group> groups, Cost cost, Model m) {
    int width = Math.max(5, layers.stream().mapToInt(l -> l.name().length()).max().orElse(5));
    String row = "%-" + width + "s  %-11s  %12s  %11s  %9s  %s%n";
    StringBuilder out = new StringBuilder();
    out.append(Text.format(row, "layer", "type", "output", "parameters", "MACs", "prunable"));
    for (Layer l : layers) {
      out.append(
          Text.format(
              row,
              l.name(),
              l.type(),
              l.output(),
              l.parameters() == 0 ? "" : Text.count(l.parameters()),
              l.macs() == 0 ? "" : Text.count(l.macs()),
              l.prunable() ? "yes" : ""));
    }
    out.append(Text.format("%n%5s  %5s  %7s  layers%n", "group", "units", "filters"));
    for (int g = 0; g < groups.size(); g++) {
      Units.Group group = groups.get(g);
      String by = group.coupledBy().isEmpty() ? "" : "  (by " + brief(group.coupledBy()) + ")";
      out.append(
          Text.format(
              "%5d  %5d  %7d  %s%s%n",
              g + 1, group.units(), group.filters(), brief(group.layers()), by));
    }
    out.append('\n');
    m.metadata().forEach((k, v) -> out.append(k).append(": ").append(v).append('\n'));
    out.append(
        Text.format(
            "parameters %d (%s), MACs %d (%s) an image",
            cost.parameters(),
            Text.count(cost.parameters()),
            cost.macs(),
            Text.count(cost.macs())));
    return out.toString();
  }

  /** Few names in full, of many the first ones. */
  private static String brief(List<String> names) {
    int shown = names.size() <= 4 ? names.size() : 3;
    String more = shown < names.size() ? ", ... " + (names.size() - shown) + " more" : "";
    return String.join(", ", names.subList(0, shown)) + more;
  }
}
