package dev.secateur.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.op.Convolution;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps stand for the kernels of an inference program. */
class InferencePlanTest {
  private static final int BATCH = 2;

  private static int[] widths(Graph graph) {
    return graph.nodes().stream().mapToInt(n -> graph.shape(n.name()).size(1)).toArray();
  }

  /** As many kernels, and each runs by itself; what it reads and writes fits its operation. */
  private static void check(Device opened, Model model) {
    InferencePlan plan = InferencePlan.of(model.graph());
    int[] widths = widths(model.graph());
    try (Device device = opened;
        Network net = new Network(device, model);
        InferenceProgram program = InferenceProgram.compile(net, BATCH, Optional.empty())) {
      assertEquals(program.steps().size(), plan.size());
      for (int s = 0; s < plan.size(); s++) {
        try (Arena arena = device.newArena()) {
          Kernel k = plan.at(s, widths).kernel(device, BATCH, arena);
          k.launch();
          device.synchronize();
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"resnet8", "resnet14b", "vgg11_bn_cifar", "mobilenet_v2"})
  void everyKernelIsAStep(String name) {
    check(new CpuDevice(), Architectures.create(name, 10, 3, 32, 1));
  }

  @Test
  void everyOpIsAStep() {
    check(new CpuDevice(), VisionGraph.model(5));
  }

  @Test
  void everyOpIsAStepOnCuda() {
    check(TestCuda.open(), VisionGraph.model(5));
  }

  @Test
  void equalLayersAreEqualSteps() {
    Graph graph = Architectures.graph("resnet20", 10, 3, 32);
    InferencePlan plan = InferencePlan.of(graph);
    List<InferenceStep> convolutions = new ArrayList<>();
    for (int s = 0; s < plan.size(); s++) {
      InferenceStep step = plan.at(s, widths(graph));
      if (step.op() instanceof Convolution) {
        convolutions.add(step);
      }
    }
    assertEquals(19, convolutions.size());
    // the first, two kinds for each of three stages, and two of stride 2
    assertEquals(9, convolutions.stream().distinct().count());
    assertTrue(convolutions.stream().allMatch(InferenceStep::bias), "of the norms");
    assertEquals(9, convolutions.stream().filter(InferenceStep::residual).count());
  }
}
