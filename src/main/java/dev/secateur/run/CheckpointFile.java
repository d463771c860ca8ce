package dev.secateur.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.io.TensorFile;
import dev.secateur.train.Checkpoints;
import dev.secateur.train.TrainingState;
import dev.secateur.util.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The state of a training in one file: its tensors, and as text where it is, what it is a training
 * of, and on what device. Written whole or not at all.
 */
public final class CheckpointFile implements Checkpoints {
  private static final String STATE = "secateur.training";
  private static final String RECORD = "secateur.record";

  private final Path file;
  private final RunRecord record;
  private final Upkeep upkeep;
  private long last;

  /**
   * @param record what the training is: a state of another one is refused
   * @throws SecateurException when there is a state that is not to be gone on with
   */
  public CheckpointFile(Path file, RunRecord record, Upkeep upkeep) {
    if (!upkeep.resume() && Files.exists(file)) {
      throw new SecateurException(
          file + ": is the state of a training that has not ended: resume it, or remove the file");
    }
    this.file = file;
    this.record = record;
    this.upkeep = upkeep;
    this.last = upkeep.nanoTime().getAsLong();
  }

  @Override
  public Optional<TrainingState> load() {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    try {
      TensorFile kept = TensorFile.read(file);
      RunRecord earlier = RunRecord.of(tree(kept, RECORD));
      earlier.requireSame(file, record);
      earlier.inputs().warnOfOther(record.inputs(), upkeep.warn());
      ObjectNode state = (ObjectNode) tree(kept, STATE);
      state.putObject("tensors");
      TrainingState s = Json.MAPPER.treeToValue(state, TrainingState.class);
      return Optional.of(
          new TrainingState(
              s.epoch(), s.done(), s.metrics(), s.seconds(), s.epochs(), kept.tensors()));
    } catch (JsonProcessingException | ClassCastException e) {
      throw new SecateurException(file + ": is damaged", e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JsonNode tree(TensorFile kept, String text) throws JsonProcessingException {
    return Json.MAPPER.readTree(kept.texts().getOrDefault(text, ""));
  }

  @Override
  public void save(TrainingState state) {
    ObjectNode position =
        Json.MAPPER.valueToTree(
            new TrainingState(
                state.epoch(),
                state.done(),
                state.metrics(),
                state.seconds(),
                state.epochs(),
                Map.of()));
    position.remove("tensors");
    Map<String, String> texts = new LinkedHashMap<>();
    texts.put(STATE, position.toString());
    texts.put(RECORD, record.tree().toString());
    new TensorFile(state.tensors(), texts).write(file);
    last = upkeep.nanoTime().getAsLong();
  }

  @Override
  public boolean due() {
    double minutes = (upkeep.nanoTime().getAsLong() - last) / 60e9;
    return upkeep.minutes() > 0 && minutes >= upkeep.minutes();
  }

  @Override
  public boolean stopAsked() {
    return upkeep.stopAsked().getAsBoolean();
  }

  /** Removes the file: the training has ended. */
  public void remove() throws IOException {
    Files.deleteIfExists(file);
  }
}
