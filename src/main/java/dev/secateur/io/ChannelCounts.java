package dev.secateur.io;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import dev.secateur.util.Json;

/** The layers of a network with parameters, and how wide each is, as JSON. */
final class ChannelCounts {
  private ChannelCounts() {}

  /** {@code {"layer": {"type": ..., "in": ..., "out": ..., ...}}}, in the graph's order. */
  static String json(Graph graph) {
    ObjectNode json = Json.MAPPER.createObjectNode();
    for (Node n : graph.nodes()) {
      boolean norm = n.op() instanceof Op.BatchNorm || n.op() instanceof Op.LayerNorm;
      if (n.op() instanceof Op.Convolution c) {
        windowed(layer(json, graph, n), c.kernelH(), c.kernelW(), c.spec());
      } else if (n.op() instanceof Op.TransposedConvolution c) {
        windowed(layer(json, graph, n), c.kernelH(), c.kernelW(), c.spec());
      } else if (norm || n.op() instanceof Op.Linear) {
        layer(json, graph, n);
      }
    }
    return json.toPrettyString();
  }

  private static ObjectNode layer(ObjectNode json, Graph graph, Node n) {
    ObjectNode o = json.putObject(n.name());
    o.put("type", GraphJson.name(n.op()));
    o.put("in", graph.shape(n.inputs().get(0)).dim(1));
    o.put("out", graph.shape(n.name()).dim(1));
    return o;
  }

  private static void windowed(ObjectNode o, int h, int w, ConvolutionSpec s) {
    o.put("groups", s.groups());
    o.putArray("kernel").add(h).add(w);
    o.putArray("stride").add(s.strideH()).add(s.strideW());
  }
}
