package dev.secateur.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.JavaNames;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/** Values that no option can have, given to every option of every command. */
class BadValuesTest {
  /** Bad for all that is not free text: a path cannot have the character 0. */
  private static final String WORST = "no\0nsense\u001b[31m";

  private static final List<String> OTHERS =
      List.of(
          "", " ", "x", "-1", "1.5", "1e999", "NaN", "99999999999999999999", "a,b", "=", "a\nb");

  static Stream<String> commands() {
    return Main.commandLine().getSubcommands().keySet().stream();
  }

  private static CommandSpec spec(String command) {
    return Main.commandLine().getSubcommands().get(command).getCommandSpec();
  }

  /** Options with a value, and positional parameters. */
  private static List<ArgSpec> arguments(String command) {
    List<ArgSpec> out = new ArrayList<>();
    for (ArgSpec a : spec(command).args()) {
      boolean help = a instanceof OptionSpec o && (o.usageHelp() || o.versionHelp());
      if (!help && a.arity().max() > 0) {
        out.add(a);
      }
    }
    return out;
  }

  private static Object[] line(String command, ArgSpec a, String value) {
    return a instanceof OptionSpec o
        ? new Object[] {command, o.longestName() + "=" + value}
        : new Object[] {command, "--", value};
  }

  private static boolean freeText(ArgSpec a) {
    Class<?> type =
        a.isMultiValue() || a.auxiliaryTypes().length > 0 ? a.auxiliaryTypes()[0] : a.type();
    return type == String.class && a.converters().length == 0;
  }

  private static void toldWell(Object[] line) {
    Cli.Result r = Cli.run(line);
    String what = String.join(" ", List.of(line).stream().map(Object::toString).toList());
    assertEquals(2, r.code(), what + ": " + r.err());
    String message = r.err().stripTrailing();
    assertEquals(1, message.lines().count(), what + ": " + message);
    assertFalse(message.matches(".*\\p{Cntrl}.*"), what + ": " + message);
    JavaNames.none(message);
    assertFalse(
        message.matches(".*(cannot convert|is not an? (int|long|float|double)).*"), message);
  }

  @ParameterizedTest
  @MethodSource("commands")
  void aBadValueIsToldInOneLineWithoutNamesOfJava(String command) {
    int checked = 0;
    for (ArgSpec a : arguments(command)) {
      Object[] worst = line(command, a, WORST);
      if (!freeText(a)) {
        toldWell(worst);
        String name = a instanceof OptionSpec o ? o.longestName() : a.paramLabel();
        assertTrue(Cli.run(worst).err().contains(name), name + " is not named");
        checked++;
      }
      for (String value : OTHERS) {
        Object[] line = line(command, a, value);
        try {
          String[] words = Stream.of(line).map(Object::toString).toArray(String[]::new);
          Main.commandLine().parseArgs(words);
        } catch (ParameterException e) {
          toldWell(line);
          checked++;
        }
      }
    }
    assertTrue(checked > 0 || command.equals("completion"), "nothing to check");
  }

  @Test
  void pathsAreToldWithTheLocaleThatCannotNameThem() {
    assertEquals(
        "'mod?le' is no path that this locale (ANSI_X3.4-1968) can name: set LC_ALL=C.UTF-8",
        Converters.noPath("mod?le", "ANSI_X3.4-1968"));
  }

  @Test
  void everyCommandIsThereUnderItsOwnName() {
    Set<String> names = new TreeSet<>();
    for (CommandLine c : Main.commandLine().getSubcommands().values()) {
      names.add(c.getCommandName());
    }
    assertEquals(new TreeSet<>(commands().toList()), names);
    for (String name : names) {
      // by itself, as a line of arguments has it
      Cli.Result help = Cli.run(name, "--help");
      assertEquals(0, help.code(), help.err());
      assertTrue(help.out().startsWith("Usage: secateur " + name), help.out());
      assertTrue(help.out().toLowerCase(Locale.ROOT).contains("--version"), "inherited options");
    }
  }
}
