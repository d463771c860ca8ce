package dev.secateur.cli;

import dev.secateur.prune.Recipe;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** What other options are laid over. */
class RecipeOptions {
  static final String HEADING = "%nRecipe:%n";

  @Option(
      names = "--recipe",
      paramLabel = "NAME",
      completionCandidates = Converters.RecipeNames.class,
      converter = Converters.RecipeName.class,
      description = "a recipe that ships: ${COMPLETION-CANDIDATES}; options given beside it win")
  private Recipe named;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "a recipe's YAML, as --print-config prints it, or any part of it")
  private Path file;

  Recipe base() throws IOException {
    Recipe recipe = named == null ? Recipe.DEFAULT : named;
    return file == null ? recipe : recipe.overlaid(file);
  }

  /** Whether one is named here. */
  boolean given() {
    return named != null || file != null;
  }

  /** Of a command that can print it. */
  static final class Printed extends RecipeOptions {
    @Option(
        names = "--print-config",
        help = true,
        description =
            "print the recipe that would run, and do nothing; needs neither MODEL nor DIR")
    boolean print;
  }
}
