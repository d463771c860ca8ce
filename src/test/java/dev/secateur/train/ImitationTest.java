package dev.secateur.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.data.Dataset;
import dev.secateur.data.Unlabelled;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.Fixtures;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.Corners;
import dev.secateur.prune.Recipe;
import dev.secateur.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Networks learn the outputs of others, maps and joined ones, alike on every device. */
class ImitationTest {
  private static final Dataset IMAGES = new Unlabelled(new Corners(64, 3, 16));

  @TempDir Path dir;

  /** The same with noise on its weights. */
  private static Model disturbed(Model m) {
    SplittableRandom random = new SplittableRandom(4);
    Map<String, HostTensor> out = new LinkedHashMap<>(m.parameters());
    out.replaceAll(
        (name, t) -> {
          float[] data = t.data().clone();
          for (int i = 0; i < data.length && !name.startsWith("input."); i++) {
            data[i] += (float) random.nextDouble(-0.1, 0.1);
          }
          return new HostTensor(t.shape(), data);
        });
    return new Model(m.graph(), out, m.metadata());
  }

  @ParameterizedTest
  @ValueSource(strings = {"maps", "joined"})
  void outputsComeBack(String kind) throws IOException {
    Path file = dir.resolve("m.onnx");
    Model model =
        Models.importOnnx(
            kind.equals("maps") ? Fixtures.colours(file, false, false) : Fixtures.detector(file),
            OnnxOptions.DEFAULT,
            w -> {});
    assertEquals(
        kind.equals("maps") ? "1x3x8x8" : "1x" + (6 * 256 + 6 * 64 + 8 * 256),
        model.graph().shape(model.graph().output().name()).toString());
    List<Evaluation> all = new ArrayList<>();
    for (Device opened : List.of(new CpuDevice(), TestCuda.open())) {
      try (Device device = opened;
          Network teacher = new Network(device, model);
          Network net = new Network(device, disturbed(model))) {
        TrainingOptions options =
            Recipe.DEFAULT
                .with("fine-tuning.batch-size", 16)
                .with("fine-tuning.epochs", 6)
                .with("fine-tuning.lr", 0.02)
                .fineTuning()
                .options(1);
        all.add(evaluate(net, teacher));
        Trainer.train(
            net,
            IMAGES,
            options,
            new TrainingContext(
                ProgressListener.none(),
                Checkpoints.none(),
                Optional.empty(),
                Optional.of(teacher)));
        all.add(evaluate(net, teacher));
        assertEquals(100, evaluate(teacher, teacher).top1());
      }
    }
    Evaluation before = all.get(0);
    Evaluation after = all.get(1);
    assertTrue(after.loss() < 0.5 * before.loss(), before.loss() + " to " + after.loss());
    assertTrue(after.top1() > before.top1(), before + " to " + after);
    assertEquals(before.loss(), all.get(2).loss(), 1e-4 * before.loss(), "on CUDA");
    assertEquals(after.loss(), all.get(3).loss(), 2e-2 * after.loss(), "on CUDA");
  }

  private static Evaluation evaluate(Network net, Network reference) {
    return Evaluator.evaluate(net, Optional.of(reference), IMAGES, 24, ProgressListener.none());
  }
}
