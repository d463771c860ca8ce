package dev.secateur.cli;

import dev.secateur.SecateurException;
import dev.secateur.train.Stopped;
import dev.secateur.util.Words;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.MutuallyExclusiveArgsException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The command line. Exit codes: 0 done, 1 failed, 2 wrong usage, 75 stopped by a signal and to be
 * gone on with. A failure is one line on standard error; {@code --verbose} adds the stack trace.
 */
@Command(
    name = "secateur",
    scope = ScopeType.INHERIT,
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    description = "Prunes filters of convolutional networks by partial least squares.",
    sortOptions = false,
    usageHelpAutoWidth = true)
public final class Main implements Runnable {
  /** Names that options had in version 0.1, taken for one release. */
  private static final Map<String, String> EARLIER =
      Map.of(
          "--rate", "--pruning-ratio",
          "--min-rate", "--min-pruning-ratio",
          "--max-rate", "--max-pruning-ratio",
          "--group-score", "--group-reduction",
          "--latency-batch", "--batch");

  /** By name, in the order of the help. */
  private static final Map<String, Class<?>> COMMANDS = commands();

  @CommandLine.Spec private CommandSpec spec;

  public static void main(String[] args) {
    int code = execute(args);
    StopSignal.ended(code);
    System.exit(code);
  }

  /** Runs one command in this process and returns its exit code. */
  public static int execute(String... args) {
    Charset charset = Charset.defaultCharset();
    return execute(
        new PrintWriter(System.out, true, charset),
        new PrintWriter(System.err, true, charset),
        args);
  }

  /** The same with the two streams given. */
  static int execute(PrintWriter out, PrintWriter err, String... args) {
    // JavaCPP then logs through slf4j, whose settings are in simplelogger.properties.
    System.setProperty("org.bytedeco.javacpp.logger", "slf4j");
    CommandLine line = commandLine(needed(args)).setOut(out).setErr(err);
    try {
      return line.execute(renamed(args));
    } catch (OutOfMemoryError e) {
      return report(err, e, List.of(args).contains("--verbose"), Optional.empty());
    } catch (LinkageError e) {
      return report(err, e, List.of(args).contains("--verbose"), Optional.empty());
    } finally {
      out.flush();
      err.flush();
    }
  }

  /** Options with their names of version 0.1 under those of today. */
  private static String[] renamed(String[] args) {
    String[] out = args.clone();
    for (int i = 0; i < out.length; i++) {
      int end = out[i].indexOf('=') < 0 ? out[i].length() : out[i].indexOf('=');
      String now = EARLIER.get(out[i].substring(0, end));
      out[i] = now == null ? out[i] : now + out[i].substring(end);
    }
    return out;
  }

  private static Map<String, Class<?>> commands() {
    Map<String, Class<?>> out = new LinkedHashMap<>();
    out.put("doctor", DoctorCommand.class);
    out.put("info", InfoCommand.class);
    out.put("data", DataCommand.class);
    out.put("eval", EvalCommand.class);
    out.put("create", CreateCommand.class);
    out.put("verify", VerifyCommand.class);
    out.put("train", TrainCommand.class);
    out.put("score", ScoreCommand.class);
    out.put("prune", PruneCommand.class);
    out.put("finetune", FinetuneCommand.class);
    out.put("export", ExportCommand.class);
    out.put("import", ImportCommand.class);
    out.put("bench", BenchCommand.class);
    out.put("experiment", ExperimentCommand.class);
    out.put("compare-latency", CompareLatencyCommand.class);
    out.put("report", ReportCommand.class);
    out.put("completion", CompletionCommand.class);
    return out;
  }

  /** The commands that a line of arguments can need: reading all options of all takes a while. */
  private static List<Class<?>> needed(String... args) {
    String first = args.length == 0 ? "" : args[0];
    if (List.of("--version", "-V").contains(first) && args.length == 1) {
      return List.of();
    }
    boolean alone = COMMANDS.containsKey(first) && COMMANDS.get(first) != CompletionCommand.class;
    return alone ? List.of(COMMANDS.get(first)) : List.copyOf(COMMANDS.values());
  }

  /** All commands. */
  static CommandLine commandLine() {
    return commandLine(List.copyOf(COMMANDS.values()));
  }

  /** Some commands and how their failures are told. */
  private static CommandLine commandLine(List<Class<?>> commands) {
    CommandLine line = new CommandLine(new Main());
    commands.forEach(line::addSubcommand);
    return line.registerConverter(Path.class, new Converters.FilePath())
        .registerConverter(Integer.class, new Converters.WholeNumber())
        .registerConverter(int.class, new Converters.WholeNumber())
        .registerConverter(Long.class, new Converters.LongWholeNumber())
        .registerConverter(long.class, new Converters.LongWholeNumber())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setHelpFactory(RecipeHelp::new)
        .setParameterExceptionHandler(Main::wrongUsage)
        .setExecutionExceptionHandler(Main::failed);
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        "a command is needed: " + String.join(", ", spec.subcommands().keySet()));
  }

  private static int wrongUsage(ParameterException e, String[] args) {
    CommandLine line = e.getCommandLine();
    String message = oneLine(e.getMessage());
    ArgSpec arg = e.getArgSpec();
    boolean ownWords = e.getCause() instanceof TypeConversionException;
    if (arg != null && message.contains("(case-insensitive)")) {
      message =
          name(arg) + " '" + e.getValue() + "': expected " + Words.choices(arg.auxiliaryTypes()[0]);
    } else if (arg != null && e.getCause() != null) {
      // picocli tells what Java calls the option's type, and the exception
      String reason = ownWords ? e.getCause().getMessage() : "'" + e.getValue() + "' is no value";
      message = name(arg) + ": " + oneLine(reason);
    }
    if (e instanceof MutuallyExclusiveArgsException) {
      String all = message;
      message =
          Arrays.stream(args)
                  .map(a -> a.replaceFirst("=.*", ""))
                  .filter(a -> a.startsWith("--") && all.contains(a + "="))
                  .distinct()
                  .collect(Collectors.joining(" and "))
              + ": only one of them at a time";
    }
    if (!ownWords) {
      // a group says all that it can hold: what may be left out is in brackets
      message = message.replaceFirst("^Error: ", "").replaceAll(" *\\[[^\\[\\]]*\\]", "");
    }
    if (e instanceof UnmatchedArgumentException u && !u.getUnmatched().isEmpty()) {
      String word = u.getUnmatched().get(0);
      boolean command = line.getParent() == null && !u.isUnknownOption();
      message = (command ? "unknown command '" : "unexpected argument '") + word + "'";
      List<String> near = u.getSuggestions();
      if (!near.isEmpty()) {
        message += "; did you mean " + near.get(0) + "?";
      }
    }
    line.getErr()
        .println(
            "secateur: "
                + oneLine(message)
                + " (see "
                + line.getCommandSpec().qualifiedName()
                + " --help)");
    return CommandLine.ExitCode.USAGE;
  }

  private static String name(ArgSpec arg) {
    return arg instanceof OptionSpec o ? o.longestName() : arg.paramLabel();
  }

  private static int failed(Exception e, CommandLine line, ParseResult parsed) {
    ParseResult last = parsed;
    while (last.hasSubcommand()) {
      last = last.subcommand();
    }
    CommandSpec command = last.commandSpec();
    if (command.userObject() instanceof BaseCommand base) {
      base.endProgress();
    }
    if (e instanceof Stopped && command.userObject() instanceof BaseCommand base) {
      line.getErr()
          .println(
              "secateur: stopped; go on with: " + base.commandWithout("--resume") + " --resume");
      return StopSignal.EXIT_CODE;
    }
    return report(line.getErr(), e, last.hasMatchedOption("--verbose"), Optional.of(command));
  }

  private static int report(
      PrintWriter err, Throwable failure, boolean verbose, Optional<CommandSpec> command) {
    Throwable e = failure;
    while (e.getCause() != null
        && (e instanceof CompletionException
            || e instanceof ExecutionException
            || e instanceof UncheckedIOException
            || e.getCause() instanceof SecateurException)) {
      e = e.getCause();
    }
    String message =
        e instanceof SecateurException s && command.isPresent()
            ? RecipeReader.told(command.get(), s)
            : describe(e);
    err.println("secateur: " + oneLine(message));
    if (verbose) {
      failure.printStackTrace(err);
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  private static String describe(Throwable e) {
    if (e instanceof SecateurException) {
      return e.getMessage();
    }
    if (e instanceof NoSuchFileException f) {
      return "no such file: " + f.getFile();
    }
    if (e instanceof AccessDeniedException f) {
      return "permission denied: " + f.getFile();
    }
    if (e instanceof FileAlreadyExistsException f) {
      return "exists already: " + f.getFile();
    }
    if (e instanceof FileSystemException f && f.getReason() != null) {
      return f.getFile() + ": " + f.getReason();
    }
    if (e instanceof IOException) {
      return e.getMessage() == null ? "reading or writing failed" : e.getMessage();
    }
    if (e instanceof OutOfMemoryError) {
      return "out of memory (Java may use "
          + Runtime.getRuntime().maxMemory() / (1 << 20)
          + " MiB): take a smaller --batch-size, or set JAVA_OPTS=-Xmx8g";
    }
    if (e instanceof LinkageError) {
      return "a library does not load (" + e.getMessage() + "); see secateur doctor";
    }
    return "internal error (--verbose shows where): " + e.getMessage();
  }

  /** What a message quotes may be anything, also what steers terminals. */
  private static String oneLine(String text) {
    return text == null
        ? ""
        : text.strip().replaceAll("\\s*\\R\\s*", " ").replaceAll("\\p{Cntrl}", "?");
  }
}
