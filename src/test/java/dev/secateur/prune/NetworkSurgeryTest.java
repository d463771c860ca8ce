package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.Precision;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.nn.op.ParameterCut;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Filters removed on a device: as in Java memory, to the bit, and without a copy to or from it. */
class NetworkSurgeryTest {
  private static final int NETWORKS = 60;

  static Stream<Arguments> devices() {
    Supplier<Device> cpu = CpuDevice::new;
    return Stream.concat(
        Stream.of(Arguments.of("CPU", cpu)),
        Stream.of(Precision.values())
            .map(p -> Arguments.of("CUDA " + p, (Supplier<Device>) () -> TestCuda.open(p))));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("devices")
  void theDeviceKeepsWhatJavaMemoryKeeps(String name, Supplier<Device> open) {
    int pruned = 0;
    try (Device device = open.get()) {
      for (int seed = 0; seed < NETWORKS; seed++) {
        Model model = RandomGraph.draw(seed);
        SplittableRandom random = new SplittableRandom(seed);
        Removal removed = removed(model.graph(), random);
        Model momentum = noise(model, random);
        try (Network net = new Network(device, model)) {
          trainable(model.graph())
              .forEach(
                  p -> {
                    device.upload(momentum.parameters().get(p).data(), net.momentum(p));
                    device.upload(momentum.parameters().get(p).data(), net.squares(p));
                  });
          try (Network smaller = Surgery.remove(net, removed)) {
            assertSame(Surgery.remove(model, removed), smaller.toModel(), seed);
            Model kept = Surgery.remove(momentum, removed);
            for (String p : trainable(smaller.graph())) {
              assertArrayEquals(
                  kept.parameters().get(p).data(),
                  device.downloadFloats(smaller.momentum(p)),
                  "network " + seed + ", momentum of " + p);
              assertArrayEquals(
                  kept.parameters().get(p).data(),
                  device.downloadFloats(smaller.squares(p)),
                  "network " + seed + ", squares of " + p);
            }
            assertSame(model, net.toModel(), seed);
            smaller.clearMomentum();
            for (String p : trainable(smaller.graph())) {
              for (float v : device.downloadFloats(smaller.momentum(p))) {
                assertEquals(0, v, p);
              }
            }
          }
        }
        pruned += removed.isEmpty() ? 0 : 1;
      }
    }
    assertTrue(pruned > NETWORKS * 3 / 4, pruned + " were pruned");
  }

  @Test
  void nothingButListsOfIndicesIsCopiedToTheDeviceAndNothingFromIt() {
    Model model = Architectures.create("resnet20", 10, 3, 32, 1);
    Removal removed = removed(model.graph(), new SplittableRandom(1));
    List<String> copies = new ArrayList<>();
    Set<IntBuffer> lists = new HashSet<>();
    try (Device device = counting(new CpuDevice(), copies, lists);
        Network net = new Network(device, model)) {
      net.momentum(trainable(model.graph()).get(0));
      copies.clear();
      try (Network smaller = Surgery.remove(net, removed)) {
        assertTrue(smaller.bytes() < net.bytes(), "smaller");
        assertEquals(Set.of("upload of indices"), new HashSet<>(copies));
        assertEquals(lists.size(), copies.size(), "every list of indices once");
      }
    }
  }

  @Test
  void aCutThatDoesNotFitTheStructureIsRefused() {
    Model model = Architectures.create("resnet8", 10, 3, 32, 1);
    try (Device device = new CpuDevice();
        Network net = new Network(device, model)) {
      Map<String, ParameterCut> one = Map.of("conv1.weight", ParameterCut.first(new int[] {0}));
      Exception e = assertThrows(IllegalArgumentException.class, () -> net.cut(model.graph(), one));
      assertEquals("conv1.weight: expected 16x3x3x3, kept 1x3x3x3", e.getMessage());
    }
  }

  /** A device that writes down what is copied to and from it. */
  private static Device counting(Device device, List<String> copies, Set<IntBuffer> lists) {
    return (Device)
        Proxy.newProxyInstance(
            Device.class.getClassLoader(),
            new Class<?>[] {Device.class},
            (proxy, method, args) -> {
              if (method.getName().startsWith("download")) {
                copies.add("download");
              } else if (method.getName().equals("upload")) {
                boolean indices = args[0] instanceof int[];
                copies.add(indices ? "upload of indices" : "upload of " + ((Tensor) args[1]));
                if (args[0] instanceof int[] list) {
                  lists.add(IntBuffer.wrap(list));
                }
              }
              try {
                return method.invoke(device, args);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private static Removal removed(Graph graph, SplittableRandom random) {
    try {
      return Zeroed.random(graph, Scope.ALL, random).lowest(random.nextDouble(0.1, 0.7));
    } catch (SecateurException tooMuch) {
      return new Removal(Map.of());
    }
  }

  private static List<String> trainable(Graph graph) {
    return ParameterShapes.of(graph).keySet().stream().filter(ParameterShapes::trainable).toList();
  }

  /** Numbers in the place of parameters. */
  private static Model noise(Model like, SplittableRandom random) {
    Map<String, HostTensor> out = new LinkedHashMap<>();
    like.parameters()
        .forEach(
            (name, t) -> {
              float[] d = new float[t.data().length];
              for (int i = 0; i < d.length; i++) {
                d[i] = (float) random.nextGaussian();
              }
              out.put(name, new HostTensor(t.shape(), d));
            });
    return new Model(like.graph(), out, like.metadata());
  }

  private static void assertSame(Model expected, Model got, int seed) {
    assertEquals(expected.graph().nodes(), got.graph().nodes(), "network " + seed);
    assertEquals(expected.parameters().keySet(), got.parameters().keySet(), "network " + seed);
    expected
        .parameters()
        .forEach(
            (name, t) -> {
              assertEquals(t.shape(), got.parameters().get(name).shape(), name);
              assertArrayEquals(
                  t.data(), got.parameters().get(name).data(), "network " + seed + ", " + name);
            });
  }
}
