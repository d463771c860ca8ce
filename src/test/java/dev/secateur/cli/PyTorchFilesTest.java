package dev.secateur.cli;

import static dev.secateur.cli.Cli.fails;
import static dev.secateur.cli.Cli.run;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What PyTorch writes; fixtures: scripts/make-architecture-fixtures.py. */
class PyTorchFilesTest {
  private static final Path FIXTURES = Path.of("src", "test", "resources", "pytorch");

  @Test
  void programsAndWholeModulesAreRefusedWithHowToExportThem() {
    fails(1, "is TorchScript, whose program", run("info", FIXTURES.resolve("script.pt")));
    for (Object[] arch : new Object[][] {{}, {"--arch", "resnet18"}}) {
      Object[] words = new Object[2 + arch.length];
      words[0] = "info";
      words[1] = FIXTURES.resolve("whole.pt");
      System.arraycopy(arch, 0, words, 2, arch.length);
      fails(
          1, "whole.pt: refuses to load torch.nn.modules.linear.Linear; only tensors", run(words));
      fails(1, "torch.onnx.export(torch.load(FILE).eval(), torch.zeros", run(words));
    }
  }

  @Test
  void theArchitectureThatFitsIsNamed() {
    Path known = Path.of("..", "shared", "data", "pretrained", "resnet20-12fca82f.th");
    if (Files.exists(known)) {
      fails(1, "add --arch resnet20, as its tensors", run("info", known));
    }
    fails(
        1,
        "add --arch NAME, of which none fits exactly",
        run("info", FIXTURES.resolve("small.pt")));
  }
}
