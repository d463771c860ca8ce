package dev.secateur.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.secateur.device.PoolSpec;
import dev.secateur.nn.op.Convolution;
import dev.secateur.tensor.HostTensor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * What every architecture is compiled to, launch by launch, is what it was: operations,
 * specifications, operands and which memory they share. The fixture has a line a plan: launches by
 * operation, and a hash over all of them. Where it differs, the plans lie in target/plans/ whole,
 * to be compared with those of another checkout; {@code -Dsecateur.plans=write} writes them too.
 */
class GoldenPlansTest {
  private static final String FIXTURE = "/plans/plans.txt";
  private static final int BATCH = 2;

  @Test
  void everyNetworkIsCompiledToTheLaunchesItWas() throws IOException {
    Map<String, List<String>> plans = new LinkedHashMap<>();
    for (String name : Architectures.names()) {
      boolean cifar = name.endsWith("_cifar") || name.matches("resnet(8|14|20|32|44|56|110)b?");
      plans(name, Architectures.graph(name, 10, 3, cifar ? 32 : 64), plans);
    }
    plans("every other op", VisionGraph.create(), plans);
    StringBuilder lines = new StringBuilder();
    plans.forEach((name, plan) -> lines.append(line(name, plan)).append('\n'));
    String expected;
    try (InputStream in = GoldenPlansTest.class.getResourceAsStream(FIXTURE)) {
      expected = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    if (!expected.equals(lines.toString()) || System.getProperty("secateur.plans") != null) {
      Path folder = Files.createDirectories(Path.of("target", "plans"));
      for (Map.Entry<String, List<String>> plan : plans.entrySet()) {
        Files.write(folder.resolve(plan.getKey().replace(' ', '-') + ".txt"), plan.getValue());
      }
      Files.writeString(folder.resolve("plans.txt"), lines);
    }
    assertEquals(expected, lines.toString());
  }

  private static void plans(String name, Graph graph, Map<String, List<String>> out) {
    RecordingDevice recording = new RecordingDevice();
    Map<Long, float[]> zeros = new HashMap<>();
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach(
            (p, shape) ->
                parameters.put(
                    p,
                    new HostTensor(
                        shape,
                        zeros.computeIfAbsent(shape.elements(), n -> new float[n.intValue()]))));
    try (Network net = new Network(recording.device(), new Model(graph, parameters, Map.of()))) {
      List<String> hooked =
          graph.nodes().stream()
              .filter(n -> n.op() instanceof Convolution)
              .map(Node::name)
              .toList();
      Map<String, Optional<ForwardHook>> hooks = new LinkedHashMap<>();
      hooks.put("inference", Optional.empty());
      hooks.put("features", Optional.of(new ForwardHook(hooked, PoolSpec.Kind.MAX)));
      hooks.forEach(
          (mode, hook) -> {
            try (InferenceProgram p = InferenceProgram.compile(net, BATCH, hook)) {
              recording.take(); // what compiling launches: weights are folded
              List<String> plan = new ArrayList<>();
              for (Step s : p.steps()) {
                plan.add("-- " + s.nodes().stream().map(Node::name).toList());
                s.kernel().launch();
                plan.addAll(recording.take());
              }
              p.run();
              plan.add("-- as a whole");
              plan.addAll(recording.take());
              out.put(name + " " + mode, plan);
            }
          });
      Learning sgd = Learning.sgd(0.9f, true, 1e-4f, true, 0.1f);
      try (TrainingProgram p = TrainingProgram.compile(net, BATCH, sgd, 4)) {
        p.clearMetrics();
        p.step();
        p.backpropagate();
        out.put(name + " training", recording.take());
      }
    }
  }

  private static String line(String name, List<String> plan) {
    Map<String, Integer> counts = new TreeMap<>();
    for (String launch : plan) {
      if (!launch.startsWith("--")) {
        counts.merge(launch.split(" ")[0], 1, Integer::sum);
      }
    }
    try {
      byte[] all = String.join("\n", plan).getBytes(StandardCharsets.UTF_8);
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(all);
      return name + ": " + counts + " " + HexFormat.of().formatHex(hash, 0, 12);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
