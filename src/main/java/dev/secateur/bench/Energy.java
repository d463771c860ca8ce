package dev.secateur.bench;

import dev.secateur.SecateurException;
import dev.secateur.device.EnergyMeter;
import dev.secateur.nn.Model;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.LongSupplier;

/**
 * Millijoules that a device takes for an image.
 *
 * <p>A board brings its energy counter up to date every 20 to 100 ms only, far longer than a batch
 * takes, and samples its power only part of the time. So batches are not measured one by one: a
 * contender computes batches without a pause, first until the board has settled ({@link
 * EnergyMeter#settleMillis}), then until the counter takes its next step, and from there for half a
 * second or more ({@code -Dsecateur.bench.energy=500} milliseconds) until it takes a step again.
 * Energy and images between the two steps are counted. The counter is looked at every 5 ms, which
 * is thus the error at either end: one percent together. Contenders take turns, three blocks each,
 * so that a board that grows warm does so for all; the middle block counts.
 *
 * <p>It is the whole board's energy, with what it takes when idle, and a smaller network that
 * cannot fill the GPU pays for the idle rest.
 */
public final class Energy {
  private static final int BLOCKS = 3;
  private static final double LOOK_MS = 5;
  private static final double STEP_MS = 2000;

  private Energy() {}

  /**
   * @param millijoulesPerImage of the middle block; low and high are the two others'
   * @param watts mean power in the middle block
   * @param source what was read
   */
  public record Use(
      String model,
      String math,
      int batch,
      double millijoulesPerImage,
      double low,
      double high,
      double watts,
      String source) {}

  /**
   * @param problem why there are none, or no more; empty where all are there
   */
  public record Result(List<Use> uses, String problem) {}

  /** The meter does not tell; what else may fail is a failure of the benchmark. */
  static final class NotTold extends RuntimeException {
    NotTold(String message) {
      super(message);
    }
  }

  /** Energy and time of so many batches. */
  record Block(double millijoules, double milliseconds, long batches) {
    double each() {
      return millijoules / batches;
    }
  }

  /**
   * @param train whole training steps instead of inference
   */
  public static Result measure(
      List<Setting> settings, List<Benchmark.Entry> entries, List<Integer> batches, boolean train) {
    double blockMs = Long.getLong("secateur.bench.energy", 500);
    List<Use> out = new ArrayList<>();
    try (EnergyMeter meter = open(settings.get(0))) {
      for (int batch : batches) {
        try (Cleanup closers = new Cleanup()) {
          List<OwnContender> contenders = new ArrayList<>();
          for (Benchmark.Entry e : entries) {
            for (Setting s : settings) {
              Model m = e.model();
              OwnContender c =
                  train
                      ? OwnContender.training(s.device(), m, batch)
                      : OwnContender.inference(s.device(), m, batch);
              closers.add(c::close);
              contenders.add(c);
            }
          }
          List<List<Block>> blocks = new ArrayList<>();
          contenders.forEach(c -> blocks.add(new ArrayList<>()));
          for (int round = 0; round < BLOCKS; round++) {
            for (int i = 0; i < contenders.size(); i++) {
              blocks.get(i).add(block(meter, contenders.get(i)::run, blockMs, System::nanoTime));
            }
          }
          for (int i = 0; i < contenders.size(); i++) {
            Setting s = settings.get(i % settings.size());
            Benchmark.Entry e = entries.get(i / settings.size());
            out.add(use(e.file().toString(), s.math(), batch, blocks.get(i), meter.source()));
          }
        }
      }
      return new Result(out, "");
    } catch (NotTold e) {
      return new Result(out, e.getMessage());
    }
  }

  private static EnergyMeter open(Setting setting) {
    try {
      return setting.device().openEnergyMeter();
    } catch (SecateurException e) {
      throw new NotTold(e.getMessage());
    }
  }

  private static double read(EnergyMeter meter) {
    try {
      return meter.millijoules();
    } catch (SecateurException e) {
      throw new NotTold(e.getMessage());
    }
  }

  private static Use use(String model, String math, int batch, List<Block> blocks, String source) {
    List<Block> sorted = new ArrayList<>(blocks);
    sorted.sort(Comparator.comparingDouble(Block::each));
    Block middle = sorted.get(BLOCKS / 2);
    return new Use(
        model,
        math,
        batch,
        middle.each() / batch,
        sorted.get(0).each() / batch,
        sorted.get(BLOCKS - 1).each() / batch,
        middle.millijoules() / middle.milliseconds(),
        source);
  }

  /**
   * @param work computes so many batches and waits for them
   * @throws NotTold if the meter stands still or fails
   */
  static Block block(EnergyMeter meter, IntConsumer work, double leastMs, LongSupplier nanos) {
    long begin = nanos.getAsLong();
    int chunk = 1;
    double ms = 0;
    while (ms < meter.settleMillis()) {
      double before = ms;
      work.accept(chunk);
      ms = (nanos.getAsLong() - begin) / 1e6;
      chunk *= ms - before < LOOK_MS / 2 ? 2 : 1;
    }
    Stretch lead = stretch(meter, work, chunk, 0, nanos);
    Stretch s = stretch(meter, work, chunk, leastMs, nanos);
    return new Block(s.millijoules() - lead.millijoules(), s.milliseconds(), s.batches());
  }

  /** What was read at a step of the meter, and what was done until then. */
  private record Stretch(double millijoules, double milliseconds, long batches) {}

  private static Stretch stretch(
      EnergyMeter meter, IntConsumer work, int chunk, double leastMs, LongSupplier nanos) {
    long begin = nanos.getAsLong();
    double stepAt = 0;
    double last = read(meter);
    long batches = 0;
    while (true) {
      work.accept(chunk);
      batches += chunk;
      double now = read(meter);
      double ms = (nanos.getAsLong() - begin) / 1e6;
      if (now != last) {
        if (ms >= leastMs) {
          return new Stretch(now, ms, batches);
        }
        last = now;
        stepAt = ms;
      }
      if (ms - stepAt > STEP_MS) {
        throw new NotTold(meter.source() + " stood still for " + (int) STEP_MS + " ms");
      }
    }
  }
}
