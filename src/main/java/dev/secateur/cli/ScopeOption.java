package dev.secateur.cli;

import dev.secateur.nn.Graph;
import dev.secateur.prune.Scope;
import dev.secateur.prune.Units;
import picocli.CommandLine.Option;

/** Which filters may go. */
final class ScopeOption {
  @Option(
      names = "--scope",
      paramLabel = "paper|all",
      defaultValue = "PAPER",
      description = {
        "paper: convolutions inside residual blocks, or all but the last; all: every filter,",
        "those whose channels are added or otherwise coupled together; default paper"
      })
  private Scope scope;

  Scope scope() {
    return scope;
  }

  Units units(Graph graph) {
    return Units.of(graph, scope);
  }
}
