package dev.secateur.cli;

import picocli.CommandLine.Option;

/** How a command tells what it does; shown in the section of its output. */
final class PrintOptions {
  @Option(names = "--json", description = "print one JSON object instead of text")
  boolean json;

  @Option(
      names = {"-q", "--quiet"},
      description = "no progress bars")
  boolean quiet;

  @Option(names = "--verbose", description = "show the stack trace of a failure")
  boolean verbose;
}
