package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class RecipeTest {
  @TempDir Path dir;

  static List<String> names() {
    return Recipe.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void whatIsPrintedIsReadAgainAndRunsTheSame(String name) throws IOException {
    Recipe recipe =
        Recipe.named(name)
            .with("choice.keep", List.of("layer1.*"))
            .with("choice.max-pruning-ratio", Map.of("*", 0.5, "layer2.*", 0.25))
            .with("stop.macs", "20M")
            .with("stop.max-drop", 1)
            .with("seed", 7);
    Path file = Files.writeString(dir.resolve("r.yaml"), recipe.resolved().yaml());
    assertEquals(recipe.resolved(), Recipe.DEFAULT.overlaid(file));
    assertEquals(recipe.resolved(), Recipe.DEFAULT.overlaid(recipe.resolved().tree()));
  }

  @Test
  void aFileSaysOnlyWhatDiffers() throws IOException {
    Path file =
        Files.writeString(
            dir.resolve("part.yaml"),
            "scoring: {criterion: l1}\nstop:\n  latency: 0.8ms\nfine-tuning: {samples: all}\n");
    Recipe r = Recipe.named("paper").overlaid(file);
    assertEquals("l1", r.scoring().criterion());
    assertEquals(200, r.fineTuning().epochs(), "as in the recipe below");
    assertEquals(new Recipe.Latency(0.8, true), r.stop().latency().orElseThrow());
    assertEquals(Recipe.DEFAULT, Recipe.DEFAULT.overlaid(Files.createFile(dir.resolve("empty"))));
  }

  @Test
  void whatIsLeftOpenIsDecidedByTheRest() {
    assertEquals(Optional.of(0.1), Recipe.DEFAULT.resolved().choice().pruningRatio());
    assertEquals(Optional.of(1), Recipe.DEFAULT.resolved().stop().iterations());
    Recipe aimed = Recipe.DEFAULT.with("stop.macs", 0.5);
    assertEquals(Optional.of(1000), aimed.resolved().stop().iterations());
    assertEquals(Optional.of(0.1), aimed.resolved().choice().pruningRatio());
    Recipe once = aimed.with("stop.iterations", 1);
    assertEquals(Optional.empty(), once.resolved().choice().pruningRatio(), "what reaches it");
    Graph graph = Architectures.graph("resnet20", 10, 3, 32);
    Recipe ends = Recipe.DEFAULT.with("choice.exclude", List.of("first", "last"));
    assertEquals(List.of("conv1", "layer3.2.conv2"), ends.resolved(graph).choice().keep());
  }

  @Test
  void theStrengthOfASparseTrainingIsItsSources() {
    Recipe none = Recipe.DEFAULT.with("sparse-training.epochs", 9);
    assertEquals(Recipe.DEFAULT.resolved(), none.resolved(), "of no effect");
    Recipe lasso = Recipe.DEFAULT.with("sparse-training.kind", "group-lasso");
    assertEquals(Optional.of(1e-4), lasso.resolved().sparseTraining().strength());
    Recipe growing =
        Recipe.DEFAULT
            .with("sparse-training.kind", "growing")
            .with("fine-tuning.epochs", 0)
            .with("fine-tuning.lr", 0.1);
    assertEquals(Optional.of(1.0), growing.resolved().sparseTraining().strength());
    assertEquals(0.1, growing.resolved().fineTuning().lr(), "it trains by these");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "scoring.components | 0 | '0': expected a whole number of at least 1",
        "scoring.components | two | 'two': expected a whole number",
        "scoring.criterion | vip | 'vip': expected one of pls-vip, l1",
        "scoring.samples | none | 'none': expected a whole number of at least 1, or all",
        "scoring.pool | min | 'min': expected max or avg",
        "choice.pruning-ratio | 1 | '1.0': expected a number greater than 0 and less than 1",
        "choice.scope | some | 'some': expected paper or all or blocks or paper+blocks or all+blocks",
        "choice.round | 8 | is no setting; expected one of dead-filters, exclude, group",
        "stop.macs | -1 | '-1': expected a part such as 0.5, or an amount such as 500k",
        "stop.latency | 3s | '3s': expected a part of the original's time between 0 and 1",
        "fine-tuning.momentum | 1 | '1.0': expected a number from 0 up to, but not including, 1",
        "fine-tuning.schedule | poly | 'poly': expected constant or step or cosine",
        "sparse-training.kind | l2 | 'l2': expected none or bn-scale or group-lasso or growing",
        "sparse-training.strength | 0 | '0.0': expected a number greater than 0",
        "sparse-training.epochs | 0 | '0': expected a whole number of at least 1",
        "hold-out | 0 | '0.0': expected a number greater than 0 and less than 1",
        "seed | x | 'x': expected a whole number",
        "colour | red | is no setting; expected one of choice, fine-tuning, hold-out",
      })
  void aMistakeIsToldByItsPathWithWhatIsPossible(String setting, String value, String problem) {
    SettingException e =
        assertThrows(SettingException.class, () -> Recipe.DEFAULT.with(setting, value));
    assertEquals(setting, e.path());
    assertTrue(e.problem().startsWith(problem), e.problem());
    SecateurException inFile =
        assertThrows(
            SecateurException.class,
            () -> {
              Path f = Files.createTempFile(dir, "r", ".yaml");
              String[] p = setting.split("\\.");
              Files.writeString(
                  f,
                  p.length == 2
                      ? p[0] + ": {" + p[1] + ": " + value + "}\n"
                      : p[0] + ": " + value + "\n");
              Recipe.DEFAULT.overlaid(f);
            });
    assertTrue(inFile.getMessage().contains(".yaml: " + setting + " "), inFile.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "scoring: {criterion: } | scoring.criterion is empty: give it a value or leave it out",
        "stop: {macs: ~} | stop.macs is empty: give it a value or leave it out",
        "choice: {keep: [~]} | choice.keep is empty: give it a value or leave it out",
        "scoring: l1 | scoring 'l1': expected settings by name",
        "choice: {keep: x} | choice.keep 'x': expected a list",
        "choice: {max-pruning-ratio: 0.5} | choice.max-pruning-ratio '0.5': expected a number by",
        "fine-tuning: {flip: maybe} | fine-tuning.flip 'maybe': expected true or false",
        "fine-tuning: {milestones: [a]} | fine-tuning.milestones 'a': expected a number",
        "seed: 1.5 | seed '1.5': expected a whole number",
        "[1] | recipe '[1]': expected settings by name",
        "stop: {latency: 0.5, macs: 0.5} | stop.latency and a target of MACs, parameters or bytes",
      })
  void valuesOfAnotherKindAreToldByWhatIsWritten(String yaml, String message) throws IOException {
    Path file = Files.writeString(dir.resolve("r.yaml"), yaml);
    SecateurException e =
        assertThrows(SecateurException.class, () -> Recipe.DEFAULT.overlaid(file));
    assertTrue(e.getMessage().startsWith(file + ": " + message), e.getMessage());
  }
}
