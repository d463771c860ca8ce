package dev.secateur.cli;

import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.secateur.SecateurException;
import dev.secateur.cli.Cli.Result;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.device.cuda.EmulatedCuda;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Learning;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Pooling;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Scope;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.prune.criterion.ScoringData;
import dev.secateur.train.Augmentation;
import dev.secateur.train.ProgressListener;
import dev.secateur.train.Schedule;
import dev.secateur.train.Trainer;
import dev.secateur.train.TrainingContext;
import dev.secateur.train.TrainingOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whole commands on the emulated GPU in which one call of CUDA fails. Which functions a command
 * calls, and how often, is counted in a run without faults; then each of them fails at its first,
 * second, middle or last call (at all four with {@code -Dsecateur.test.faults.all=true}), for some
 * with nothing but failures after it. Where CUDA refuses to capture a graph or to measure or to
 * recommend algorithms, or has memory once the pool gave some back, a command goes on.
 */
class CudaFaultsTest {
  private static final int SIZE = 8;
  private static final byte[] EARLIER = "an earlier file".getBytes(StandardCharsets.UTF_8);

  /** Each function at four calls instead of at one of them. */
  private static final boolean ALL = Boolean.getBoolean("secateur.test.faults.all");

  private static final List<String> warnings = new ArrayList<>();
  private final Logger logger = Logger.getLogger("dev.secateur.device.cuda.CudaGraphs");
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord record) {
          warnings.add(new SimpleFormatter().formatMessage(record));
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  @TempDir static Path dir;

  @BeforeAll
  static void makeDataAndModel() throws IOException {
    assumeTrue(TestCuda.emulated());
    TestCuda.open().close();
    EmulatedCuda.reset();
    System.setProperty("secateur.bench.warmup", "0");
    write("train", 20);
    write("t10k", 4);
    Models.save(Architectures.create("resnet8", 2, 1, SIZE, 1), dir.resolve("m.sct"));
  }

  @BeforeEach
  void listen() {
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
  }

  @AfterEach
  void listenNoMore() {
    logger.removeHandler(handler);
    logger.setUseParentHandlers(true);
  }

  @AfterAll
  static void warmUpAgain() {
    System.clearProperty("secateur.bench.warmup");
  }

  private static void write(String part, int n) throws IOException {
    SplittableRandom random = new SplittableRandom(n);
    ByteBuffer images = ByteBuffer.allocate(16 + n * SIZE * SIZE);
    images.putInt(0x803).putInt(n).putInt(SIZE).putInt(SIZE);
    ByteBuffer labels = ByteBuffer.allocate(8 + n);
    labels.putInt(0x801).putInt(n);
    for (int i = 0; i < n; i++) {
      labels.put((byte) (i % 2));
      for (int k = 0; k < SIZE * SIZE; k++) {
        images.put((byte) random.nextInt(k % SIZE < 4 == (i % 2 == 0) ? 250 : 120));
      }
    }
    Files.write(dir.resolve(part + "-images-idx3-ubyte"), images.array());
    Files.write(dir.resolve(part + "-labels-idx1-ubyte"), labels.array());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "doctor",
        "eval MODEL --data DATA --batch-size 4",
        "score MODEL --data DATA --batch-size 8 -o OUT",
        "train resnet8 --data DATA --batch-size 8 --epochs 1 -o OUT",
        "finetune MODEL --data DATA --batch-size 8 --epochs 1 -o OUT",
        "prune MODEL --data DATA --batch-size 8 --rate 0.1 --finetune-epochs 1 -o RUN",
        "bench MODEL MODEL --data DATA --batch 2 --runs 1",
        "bench MODEL --train --batch 2 --runs 1"
      })
  void oneFaultIsOneLineAndLeavesNothingBehind(String command) throws IOException {
    Object[] args =
        (command + " -q --device cuda --math fp32")
            .replace("MODEL", dir.resolve("m.sct").toString())
            .replace("DATA", "idx:" + dir)
            .replace("OUT", dir.resolve("out/file").toString())
            .replace("RUN", dir.resolve("out/run").toString())
            .split(" ");
    prepare(command);
    EmulatedCuda.reset();
    Result clean = run(args);
    assertEquals(0, clean.code(), clean.err());
    Map<String, Long> calls = calls();
    assertTrue(calls.containsKey("cuStreamCreate"), calls.toString());
    Map<String, byte[]> cleanFiles = files();
    List<String> problems = new ArrayList<>();
    int faults = 0;
    for (Map.Entry<String, Long> e : calls.entrySet()) {
      long n = e.getValue();
      long[] all = {1, Math.min(2, n), (n + 1) / 2, n};
      int own = Math.floorMod((e.getKey() + command).hashCode(), all.length);
      boolean forGood = ALL || own == 0 || n == 1;
      for (long nth : ALL ? new TreeSet<>(LongStream.of(all).boxed().toList()) : Set.of(all[own])) {
        String fault = e.getKey() + " call " + nth + " of " + n;
        EmulatedCuda.reset();
        prepare(command);
        EmulatedCuda.fail(e.getKey(), nth);
        Result first = observe(args, e.getKey(), fault, clean, cleanFiles, problems);
        faults++;
        if (nth == n && (ALL || own == 3) && command.startsWith("prune")) {
          List<Object> resume = new ArrayList<>(Arrays.asList(args));
          resume.add("--resume");
          Result again = run(resume.toArray());
          check(again.code() == 0, problems, fault + ": does not resume: " + again.err());
          check(
              same(cleanFiles, files()),
              problems,
              fault + ": resumed, other " + others(cleanFiles, files()));
        }
        if (forGood && (nth == (n + 1) / 2 || !ALL)) {
          prepare(command);
          EmulatedCuda.failForGood(e.getKey(), nth);
          Result sticky =
              observe(args, e.getKey(), fault + " for good", clean, cleanFiles, problems);
          // how much memory is free cannot be asked any more
          String told = first.err().replaceAll(", \\d+ of \\d+ are free", "");
          check(
              told.equals(sticky.err()) || command.equals("doctor") || first.code() == 0,
              problems,
              fault + ": hidden by what failed later: " + sticky.err() + " before: " + told);
          faults++;
        }
      }
    }
    System.out.println(command + ": " + calls.size() + " functions, " + faults + " faults");
    assertTrue(problems.isEmpty(), problems.size() + ":\n" + String.join("\n", problems));
  }

  /** A program that catches out of memory and goes on has all memory back. */
  @Test
  void aTaskThatFailsGivesBackItsMemoryWhileTheDeviceStaysOpen() throws IOException {
    Dataset data = DataSets.open("idx:" + dir, Split.TRAIN);
    Model model = Models.load(dir.resolve("m.sct"));
    Augmentation none = Augmentation.NONE;
    Schedule schedule = Schedule.of(Schedule.Kind.CONSTANT, 0.1, 1, 0);
    try (Device device = TestCuda.open()) {
      Runnable task =
          () -> {
            try (Network net = new Network(device, model)) {
              Importance.of(
                  Criteria.named(
                      "pls-vip",
                      new Criteria.Settings(
                          Recipe.DEFAULT.with("scoring.components", 1).scoring().pls(), 1)),
                  net,
                  ChannelGroups.of(net.graph(), Scope.PAPER).layers(),
                  new ScoringData(data, 20, 8, Pooling.MAX, ProgressListener.none()));
              Trainer.train(
                  net,
                  data,
                  new TrainingOptions(
                      8, 1, schedule, Learning.sgd(0.9f, false, 0, true, 0), none, 1, false, 1),
                  TrainingContext.none());
            }
          };
      task.run(); // scratch memory and descriptors stay
      EmulatedCuda.reset();
      task.run();
      String before = EmulatedCuda.live();
      Map<String, Long> calls = calls();
      for (String api :
          List.of("cuMemAllocAsync", "cuMemAlloc", "cuMemHostAlloc", "cuEventCreate")) {
        long n = calls.get(api);
        for (long nth = 1; nth <= n; nth += Math.max(1, n / 20)) {
          EmulatedCuda.fail(api, nth);
          if (api.equals("cuMemAlloc")) { // the pool gives memory back, then there is enough
            task.run();
          } else {
            SecateurException e = assertThrows(SecateurException.class, task::run);
            assertTrue(e.getMessage().contains("use a smaller batch"), e.getMessage());
          }
          EmulatedCuda.reset();
          assertEquals(before, EmulatedCuda.live(), api + " call " + nth + " of " + n);
        }
      }
      task.run();
    }
  }

  /** Runs a command in which a fault waits, and checks what it leaves. */
  private static Result observe(
      Object[] args,
      String api,
      String fault,
      Result clean,
      Map<String, byte[]> cleanFiles,
      List<String> problems)
      throws IOException {
    List<String> before = EmulatedCuda.live().lines().toList();
    warnings.clear();
    Result r = run(args);
    String complaint = EmulatedCuda.lastMessage();
    EmulatedCuda.reset();
    // what could not be given back is left, once
    List<String> left = new ArrayList<>(EmulatedCuda.live().lines().toList());
    left.removeAll(before);
    boolean closing = api.matches(".*(Destroy|Free|Release|Unload).*");
    check(left.size() <= (closing ? 1 : 0), problems, fault + ": left " + left);
    check(complaint.equals(api + ": injected failure"), problems, fault + ": misuse: " + complaint);
    if (r.code() == 0) {
      boolean measuring =
          api.matches(
              "cudnn(Find|Get)Convolution\\w+|cudnn\\w+WorkspaceSize|cuMem(Alloc|AllocAsync|setD8Async)"
                  + "|cudnnBackend\\w+");
      boolean said = warnings.size() == 1 && warnings.get(0).contains("makes no CUDA graph");
      check(said || measuring && warnings.isEmpty(), problems, fault + ": goes on, " + warnings);
      check(r.err().isEmpty(), problems, fault + ": goes on: " + r.err());
      check(timeless(args, r).equals(timeless(args, clean)), problems, fault + ": " + r.out());
      check(same(cleanFiles, files()), problems, fault + ": goes on, with other files");
      return r;
    }
    check(warnings.isEmpty(), problems, fault + ": an error and " + warnings);
    String line = r.err().strip();
    if (args[0].equals("doctor")) {
      check(line.isEmpty(), problems, fault + ": doctor's report is no error: " + line);
      line = r.out().lines().filter(l -> l.startsWith("device cuda ")).findFirst().orElse(r.out());
    } else {
      check(r.out().isEmpty(), problems, fault + ": printed " + r.out());
      check(line.startsWith("secateur: "), problems, fault + ": " + line);
    }
    check(r.code() == 1, problems, fault + ": exit code " + r.code() + ", " + line);
    check(line.lines().count() == 1, problems, fault + ": " + line);
    check(line.contains("CUDA"), problems, fault + ": " + line);
    // JCuda loses the status of the choice; of the workspace it is told where no other algorithm is
    boolean told = !api.matches("cudnn(Find|Get)Convolution\\w+|cudnnBackend\\w+");
    check(!told || line.contains(statusOf(api)), problems, fault + ": " + line);
    boolean memory = api.matches(".*(Alloc(Async)?|Create|ModuleLoadData)$");
    check(
        !memory || line.contains("use a smaller batch"), problems, fault + ": no advice: " + line);
    check(!line.contains("internal error"), problems, fault + ": " + line);
    files()
        .forEach(
            (name, bytes) -> {
              boolean known =
                  Arrays.equals(bytes, EARLIER)
                      || Arrays.equals(bytes, cleanFiles.get(name))
                      || name.matches(TIMED)
                      || name.contains(".part/") // what a resumed run goes on with
                      || name.endsWith("run.json")
                      || name.endsWith("summary.csv");
              check(known, problems, fault + ": half-written " + name);
            });
    return r;
  }

  /** Files with times in them. */
  private static final String TIMED = ".*/(metrics.json|time.json|epochs.csv)";

  private static String statusOf(String api) {
    return api.startsWith("cudnn")
        ? "CUDNN_STATUS_"
        : api.startsWith("cublas")
            ? "CUBLAS_STATUS_"
            : api.startsWith("cusolver") ? "CUSOLVER_STATUS_" : "CUDA_ERROR_";
  }

  private static void check(boolean holds, List<String> problems, String problem) {
    if (!holds) {
      problems.add(problem);
    }
  }

  /** Calls of CUDA's functions since the last reset. */
  private static Map<String, Long> calls() {
    Map<String, Long> out = new TreeMap<>();
    EmulatedCuda.counts()
        .lines()
        .map(l -> l.split(" ", 2))
        .filter(w -> w[1].matches("cu\\w+") && Long.parseLong(w[0]) > 0)
        .forEach(w -> out.put(w[1], Long.parseLong(w[0])));
    return out;
  }

  /** An earlier file, and no run. */
  private static void prepare(String command) throws IOException {
    Path out = dir.resolve("out");
    if (Files.exists(out)) {
      try (Stream<Path> all = Files.walk(out)) {
        for (Path p : all.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(p);
        }
      }
    }
    Files.createDirectories(out);
    if (command.contains("OUT")) {
      Files.write(out.resolve("file"), EARLIER);
    }
  }

  /** All files that a command wrote, by their place. */
  private static Map<String, byte[]> files() throws IOException {
    Map<String, byte[]> out = new TreeMap<>();
    try (Stream<Path> all = Files.walk(dir.resolve("out"))) {
      for (Path p : all.filter(Files::isRegularFile).toList()) {
        out.put(dir.relativize(p).toString(), Files.readAllBytes(p));
      }
    }
    return out;
  }

  /** Times of training differ from run to run. */
  private static boolean same(Map<String, byte[]> a, Map<String, byte[]> b) {
    return others(a, b).isEmpty();
  }

  /** Files that differ. */
  private static Set<String> others(Map<String, byte[]> a, Map<String, byte[]> b) {
    Set<String> names = new TreeSet<>(a.keySet());
    names.addAll(b.keySet());
    names.removeIf(n -> a.containsKey(n) && b.containsKey(n) && n.matches(TIMED));
    names.removeIf(n -> Arrays.equals(a.get(n), b.get(n)));
    return names;
  }

  /** What a command printed, without times. */
  private static String timeless(Object[] args, Result r) {
    return args[0].equals("bench")
        ? r.out().lines().count() + " lines"
        : r.out().replaceAll("(?m)\\s+\\d+( images/s)?$", "");
  }
}
