package dev.secateur.cli;

import dev.secateur.prune.Scope;
import picocli.CommandLine.Option;

/** Which filters may go. */
class ScopeOptions {
  static final String HEADING = "%nChoice:%n";

  @Option(
      names = "--scope",
      paramLabel = "paper|all|blocks",
      converter = Converters.Scopes.class,
      description = {
        "paper: convolutions inside residual blocks, or all but the last; all: every filter and",
        "every hidden linear layer's output, those whose channels are added or otherwise coupled",
        "as one group; blocks: whole residual blocks; paper+blocks and all+blocks: in one ranking"
      })
  @Sets("choice.scope")
  private Scope scope;
}
