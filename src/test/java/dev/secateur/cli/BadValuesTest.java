package dev.secateur.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.JavaNames;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParameterException;

/** Values that no option can have, given to every option of every command. */
class BadValuesTest {
  /** Bad for all that is not free text: a path cannot have the character 0. */
  private static final String WORST = "no\0nsense\u001b[31m";

  private static final List<String> OTHERS =
      List.of(
          "", " ", "x", "-1", "1.5", "1e999", "NaN", "99999999999999999999", "a,b", "=", "a\nb");

  private static final Map<String, String> USUAL =
      Map.of("--data", "cifar10:/nowhere", "--target-latency", "0.5");

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
    if (a instanceof OptionSpec o) {
      return new Object[] {command, o.longestName() + "=" + value};
    }
    List<Object> out = new ArrayList<>(List.of(command, "--"));
    int before = ((PositionalParamSpec) a).index().min();
    out.addAll(Collections.nCopies(before, "/nowhere/m.sct"));
    out.add(value);
    return out.toArray();
  }

  private static boolean freeText(ArgSpec a) {
    Class<?> type =
        a.isMultiValue() || a.auxiliaryTypes().length > 0 ? a.auxiliaryTypes()[0] : a.type();
    return type == String.class && a.converters().length == 0;
  }

  private static Cli.Result toldWell(Object[] line) {
    Cli.Result r = Cli.run(line);
    toldWell(line, r);
    return r;
  }

  private static void toldWell(Object[] line, Cli.Result r) {
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
    CommandLine parser = Main.commandLine(); // to make one takes longer than to parse
    for (ArgSpec a : arguments(command)) {
      Object[] worst = line(command, a, WORST);
      if (!freeText(a)) {
        Cli.Result r = toldWell(worst);
        checked++;
        boolean setting = a instanceof OptionSpec o && !RecipeReader.settings(o).isEmpty();
        String name = a instanceof OptionSpec o ? o.longestName() : a.paramLabel();
        // settings are looked at when all that is required is there
        assertTrue(setting || r.err().contains(name), name + " is not named");
      }
      for (String value : OTHERS) {
        Object[] line = line(command, a, value);
        try {
          String[] words = Stream.of(line).map(Object::toString).toArray(String[]::new);
          parser.parseArgs(words);
        } catch (ParameterException e) {
          toldWell(line);
          checked++;
        }
      }
    }
    assertTrue(checked > 0 || command.equals("completion"), "nothing to check");
  }

  /** What a command needs besides, of which no file exists: it must not come to look for it. */
  private static List<String> complete(String command, String option, String value) {
    List<String> out = new ArrayList<>(List.of(command));
    CommandSpec spec = spec(command);
    OptionSpec tried = spec.findOption(option);
    for (OptionSpec o : spec.options()) {
      String name = o.longestName();
      if (o == tried) {
        out.add(name + "=" + value);
      } else if (needed(o) || o.required() && o.group() == tried.group()) {
        out.add(name + "=" + USUAL.getOrDefault(name, "/nowhere/there"));
      }
    }
    out.add("/nowhere/m.sct");
    return out;
  }

  /** Whether a command does not start without it: not one in a group that may be left out. */
  private static boolean needed(OptionSpec o) {
    return o.required()
        && (o.group() == null || !o.group().exclusive() && o.group().multiplicity().min() > 0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"score", "prune"})
  void aBadSettingIsToldBeforeAnyFileIsLookedFor(String command) {
    int refused = 0;
    for (ArgSpec a : arguments(command)) {
      if (!(a instanceof OptionSpec o) || RecipeReader.settings(o).isEmpty()) {
        continue;
      }
      for (String value : Stream.concat(Stream.of(WORST), OTHERS.stream()).toList()) {
        Cli.Result r = Cli.run(complete(command, o.longestName(), value).toArray());
        if (r.code() == 1) {
          assertTrue(r.err().startsWith("secateur: no such file: /nowhere"), r.err());
        } else {
          toldWell(complete(command, o.longestName(), value).toArray(), r);
          assertTrue(
              r.err().contains(o.longestName()),
              complete(command, o.longestName(), value) + r.err());
          refused++;
        }
      }
    }
    assertTrue(refused > 50, refused + " were refused");
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
