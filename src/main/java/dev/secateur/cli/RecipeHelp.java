package dev.secateur.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.prune.Recipe;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Help that tells of each option that sets a recipe what the recipe has where it is not given. */
final class RecipeHelp extends Help {
  RecipeHelp(CommandSpec command, ColorScheme colors) {
    super(command, colors);
  }

  @Override
  public IOptionRenderer createDefaultOptionRenderer() {
    IOptionRenderer usual = super.createDefaultOptionRenderer();
    Recipe recipe = commandSpec().userObject() instanceof BaseCommand b ? b.base() : Recipe.DEFAULT;
    JsonNode base = recipe.tree();
    return (option, labels, colors) ->
        withDefault(option, base, usual.render(option, labels, colors));
  }

  private static Ansi.Text[][] withDefault(OptionSpec option, JsonNode base, Ansi.Text[][] rows) {
    boolean told = String.join(" ", option.description()).contains("default");
    Ansi.Text[] last = rows[rows.length - 1];
    RecipeReader.usual(option, base)
        .filter(value -> !told)
        .ifPresent(
            value -> last[last.length - 1] = last[last.length - 1].concat("; default " + value));
    return rows;
  }
}
