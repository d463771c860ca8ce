package dev.secateur.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.secateur.data.Dataset;
import dev.secateur.data.Labels;
import dev.secateur.device.Device;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Network;
import dev.secateur.prune.Recipe;
import dev.secateur.train.Predictions;
import dev.secateur.train.ProgressListener;
import dev.secateur.util.Json;
import dev.secateur.util.Words;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What every command can: read its recipe, tell how far it is, and print its result. */
abstract class BaseCommand implements Callable<Integer> {
  /** Heading of the section that -o begins. */
  static final String OUTPUT = "%nOutput:%n";

  @Spec CommandSpec spec;

  @ArgGroup(validate = false, heading = "", order = 91)
  private PrintOptions print = new PrintOptions();

  private Optional<ProgressListener> progress = Optional.empty();

  /** A command that computes on a device. */
  abstract static class OnDevice extends BaseCommand {
    @ArgGroup(validate = false, heading = DeviceOptions.HEADING, order = 80)
    DeviceOptions device = new DeviceOptions();

    Device openDevice() {
      return device.open(spec);
    }

    /**
     * Images without labels get the classes that a network says, where its outputs are classes;
     * what accuracies are called from now on.
     *
     * @param by the network, in words
     */
    Dataset labelled(Network net, String by, Dataset images) {
      Dataset known = Predictions.of(net, images, recipe().scoring().batchSize(), progress());
      measure = known.labels().measure();
      if (images.labels() == Labels.NONE) {
        note(
            known.labels() == Labels.PREDICTED
                ? "no classes are given: those that " + by + " says are taken for right"
                : "no classes: outputs are compared with those of " + by);
      }
      return known;
    }

    /** What the device computes in, as typed. */
    String math() {
      return device.math(spec);
    }
  }

  /**
   * @throws ParameterException unless it is the name of an architecture
   */
  final void requireArchitecture(String name) {
    if (!Architectures.names().contains(name)) {
      throw new ParameterException(
          spec.commandLine(),
          "unknown architecture "
              + name
              + "; expected one of "
              + String.join(", ", Architectures.names()));
    }
  }

  /** What the recipe has where no option says otherwise. */
  Recipe base() {
    return Recipe.DEFAULT;
  }

  /** The options' recipe. */
  Recipe recipe() {
    return recipe(base());
  }

  /** The options' recipe, laid over another. */
  Recipe recipe(Recipe base) {
    return RecipeReader.read(spec, base);
  }

  /** What accuracies are called, until the data says otherwise. */
  String measure = Labels.CLASSES.measure();

  /** A bar on the terminal, or a line a minute where standard error is none. */
  ProgressListener progress() {
    if (progress.isEmpty()) {
      progress =
          Optional.of(
              print.quiet
                  ? ProgressListener.none()
                  : TerminalProgress.available()
                      ? new TerminalProgress(System.err, () -> measure)
                      : new LineProgress(this::note, this::stage, () -> measure, System::nanoTime));
    }
    return progress.get();
  }

  /** What a phase of work is a part of, with a comma behind it; nothing where it is all. */
  String stage() {
    return "";
  }

  /** After a failure: a bar that still stands would go on, and share its line with the message. */
  void endProgress() {
    progress.ifPresent(ProgressListener::finish);
  }

  /** A line on standard error about how far a long command is; none with --quiet. */
  void note(String line) {
    if (!print.quiet) {
      spec.commandLine().getErr().println(line);
      spec.commandLine().getErr().flush();
    }
  }

  /** A line on standard error that the person must not miss. */
  void warn(String line) {
    spec.commandLine().getErr().println("secateur: " + line);
    spec.commandLine().getErr().flush();
  }

  /** Prints the result: {@code value} as JSON with --json, else the text. */
  void print(Object value, Supplier<String> text) throws JsonProcessingException {
    var out = spec.commandLine().getOut();
    out.println(print.json ? Json.MAPPER.writeValueAsString(value) : text.get().stripTrailing());
    out.flush();
  }

  /** The command as it was typed, for the record in a model's metadata. */
  String commandTyped() {
    return "secateur " + String.join(" ", arguments());
  }

  /** The command as a shell takes it again, without one of its words. */
  String commandWithout(String word) {
    StringBuilder out = new StringBuilder("secateur");
    for (String a : arguments()) {
      if (!a.equals(word)) {
        out.append(' ').append(Words.quoted(a));
      }
    }
    return out.toString();
  }

  private List<String> arguments() {
    return spec.root().commandLine().getParseResult().originalArgs();
  }
}
