package dev.secateur.io;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.nn.op.FilterBank;
import dev.secateur.util.Json;

/** The layers of a network with parameters, and how wide each is, as JSON. */
final class ChannelCounts {
  private ChannelCounts() {}

  /** {@code {"layer": {"type": ..., "in": ..., "out": ..., ...}}}, in the graph's order. */
  static String json(Graph graph) {
    ObjectNode json = Json.MAPPER.createObjectNode();
    for (Node n : graph.nodes()) {
      if (n.inputs().isEmpty() || ParameterShapes.of(graph, n).isEmpty()) {
        continue;
      }
      ObjectNode o = json.putObject(n.owner());
      o.put("type", n.op().type().name());
      o.put("in", graph.shape(n.inputs().get(0)).dim(1));
      o.put("out", graph.shape(n.name()).dim(1));
      if (n.op() instanceof FilterBank f) {
        o.put("groups", f.spec().groups());
        o.putArray("kernel").add(f.kernelH()).add(f.kernelW());
        o.putArray("stride").add(f.spec().strideH()).add(f.spec().strideW());
      }
    }
    return json.toPrettyString();
  }
}
