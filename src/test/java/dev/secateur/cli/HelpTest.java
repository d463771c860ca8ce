package dev.secateur.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** What every command's help has. */
class HelpTest {

  static Stream<String> commands() {
    return Main.commandLine().getSubcommands().keySet().stream();
  }

  private static CommandLine command(String name) {
    return Main.commandLine().getSubcommands().get(name);
  }

  @ParameterizedTest
  @MethodSource("commands")
  void itShowsThreeExamplesThatAreCommandsOfIt(String name) {
    List<String> examples =
        Arrays.stream(command(name).getCommandSpec().usageMessage().footer())
            .map(String::strip)
            .filter(l -> l.contains("secateur " + name))
            .toList();
    assertTrue(examples.size() >= 3, examples.toString());
    Set<String> options = command(name).getCommandSpec().optionsMap().keySet();
    for (String example : examples) {
      for (String word : example.split("[ =]")) {
        boolean known = options.contains(word) || !word.matches("--?[a-z][a-z-]*");
        assertTrue(known, word + " in " + example);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("commands")
  void everyOptionIsInASection(String name) {
    CommandSpec spec = command(name).getCommandSpec();
    for (OptionSpec o : spec.options()) {
      if (!o.usageHelp() && !o.versionHelp()) {
        assertNotNull(o.group(), name + " " + o.longestName());
      }
    }
    assertTrue(spec.usageMessage().customSynopsis().length > 0, "a synopsis of what is needed");
  }

  @ParameterizedTest
  @MethodSource("commands")
  void choicesAreInLowerCase(String name) {
    for (OptionSpec o : command(name).getCommandSpec().options()) {
      if (o.completionCandidates() != null) {
        List<String> all =
            StreamSupport.stream(o.completionCandidates().spliterator(), false).toList();
        assertEquals(
            all.stream().map(c -> c.toLowerCase(java.util.Locale.ROOT)).toList(),
            all,
            o.longestName());
      }
    }
  }
}
