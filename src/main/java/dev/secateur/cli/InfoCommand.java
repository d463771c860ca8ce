package dev.secateur.cli;

import dev.secateur.io.onnx.OnnxImport;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.ResidualBlocks;
import dev.secateur.tensor.Shape;
import dev.secateur.util.Numbers;
import dev.secateur.util.Table;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;

@Command(
    name = "info",
    description = "Lists layers, shapes, parameters, MACs, and which channels are coupled.",
    customSynopsis = "secateur info MODEL [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur info resnet20.sct",
      "  secateur info net.onnx --scope all",
      "  secateur info resnet20.th --arch resnet20 --json"
    })
final class InfoCommand extends BaseCommand {
  @ArgGroup(exclusive = false, multiplicity = "1", heading = ModelOptions.HEADING, order = 1)
  private ModelOptions model;

  @ArgGroup(validate = false, heading = ScopeOptions.HEADING, order = 5)
  private ScopeOptions scope;

  private record Layer(
      String name, String type, String output, long parameters, long macs, boolean prunable) {}

  @Override
  public Integer call() throws IOException {
    Model m = model.open(this::warn);
    Graph graph = m.graph();
    Recipe recipe = recipe();
    ChannelGroups groups = recipe.groups(graph);
    Map<String, Shape> shapes = ParameterShapes.of(graph);
    List<Layer> layers = new ArrayList<>();
    for (Node n : graph.nodes()) {
      long parameters =
          shapes.entrySet().stream()
              .filter(e -> ParameterShapes.trainable(e.getKey()))
              .filter(e -> e.getKey().substring(0, e.getKey().lastIndexOf('.')).equals(n.owner()))
              .filter(e -> graph.first(n))
              .mapToLong(e -> e.getValue().elements())
              .sum();
      String shape = graph.shape(n.name()).toString();
      layers.add(
          new Layer(
              n.name(),
              n.op().type().name(),
              shape.substring(shape.indexOf('x') + 1),
              parameters,
              Cost.macs(graph, n),
              groups.layers().contains(n.name())));
    }
    Cost cost = Cost.of(graph);
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("parameters", cost.parameters());
    json.put("macs", cost.macs());
    json.put("metadata", shown(m));
    json.put("layers", layers);
    json.put("scope", recipe.choice().scope());
    json.put("groups", groups.coupledLayers());
    List<String> blocks = ResidualBlocks.of(graph).names();
    json.put("blocks", blocks);
    print(json, () -> text(layers, groups.coupledLayers(), blocks, cost, m));
    return 0;
  }

  /** Metadata for people: of what is carried along the names of its operators only. */
  private static Map<String, String> shown(Model m) {
    Map<String, String> out = new LinkedHashMap<>(m.metadata());
    out.remove(OnnxImport.CARRIED);
    return out;
  }

  private static String text(
      List<Layer> layers,
      List<ChannelGroups.CoupledLayers> coupled,
      List<String> blocks,
      Cost cost,
      Model m) {
    Table table = new Table("layer", "type", "output", "parameters", "MACs", "prunable");
    for (Layer l : layers) {
      table.row(
          l.name(),
          l.type(),
          l.output(),
          l.parameters() == 0 ? "" : Numbers.count(l.parameters()),
          l.macs() == 0 ? "" : Numbers.count(l.macs()),
          l.prunable() ? "yes" : "");
    }
    Table together = new Table("channel groups", "filters", "coupled layers");
    for (ChannelGroups.CoupledLayers c : coupled) {
      String by = c.coupledBy().isEmpty() ? "" : "  (by " + brief(c.coupledBy()) + ")";
      together.row(c.groups(), c.filters(), brief(c.layers()) + by);
    }
    StringBuilder out = new StringBuilder();
    out.append(table.text()).append('\n').append(together.text());
    out.append('\n');
    if (!blocks.isEmpty()) {
      out.append("residual blocks that can go (--scope blocks): ");
      out.append(blocks.size()).append(", ").append(brief(blocks)).append('\n');
    }
    shown(m).forEach((k, v) -> out.append(k).append(": ").append(v).append('\n'));
    out.append(
        Numbers.format(
            "parameters %d (%s), MACs %d (%s) an image",
            cost.parameters(),
            Numbers.count(cost.parameters()),
            cost.macs(),
            Numbers.count(cost.macs())));
    return out.toString();
  }

  /** Few names in full, of many the first ones. */
  private static String brief(List<String> names) {
    int shown = names.size() <= 4 ? names.size() : 3;
    String more = shown < names.size() ? ", ... " + (names.size() - shown) + " more" : "";
    return String.join(", ", names.subList(0, shown)) + more;
  }
}
