package dev.secateur.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
    name = "completion",
    description = "Prints a completion script for bash and zsh.",
    customSynopsis = "secateur completion",
    footer = {
      "%nExamples:",
      "  source <(secateur completion)",
      "  secateur completion > ~/.local/share/bash-completion/completions/secateur",
      "  secateur completion >> ~/.bashrc"
    })
final class CompletionCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    var line = spec.root().commandLine();
    spec.commandLine().getOut().print(AutoComplete.bash(line.getCommandName(), line));
    spec.commandLine().getOut().flush();
  }
}
