package dev.secateur.train;

import com.sun.management.OperatingSystemMXBean;
import dev.secateur.data.Dataset;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * How fast images are read as training reads them.
 *
 * @param threads that read
 * @param imagesPerSecond of all threads together, by the clock
 * @param cpuMilliseconds that an image takes of one core
 */
public record ReadingSpeed(int threads, double imagesPerSecond, double cpuMilliseconds) {
  private static final double WARM_UP = 0.4;

  /**
   * Reads images in turn, from the first again behind the last.
   *
   * @param seconds that are measured, after a part of them that is not
   */
  public static ReadingSpeed measure(
      Dataset data, Augmentation augmentation, int threads, double seconds) {
    ExecutorService readers = Executors.newFixedThreadPool(threads);
    try {
      AtomicInteger next = new AtomicInteger();
      run(data, augmentation, threads, WARM_UP * seconds, readers, next);
      next.set(0);
      long cpu = cpu();
      long begin = System.nanoTime();
      run(data, augmentation, threads, seconds, readers, next);
      double took = (System.nanoTime() - begin) / 1e9;
      int images = next.get();
      return new ReadingSpeed(threads, images / took, (cpu() - cpu) / 1e6 / images);
    } finally {
      readers.shutdown();
    }
  }

  private static void run(
      Dataset data,
      Augmentation augmentation,
      int threads,
      double seconds,
      ExecutorService readers,
      AtomicInteger next) {
    long end = System.nanoTime() + (long) (seconds * 1e9);
    CompletableFuture<?>[] all = new CompletableFuture<?>[threads];
    for (int t = 0; t < threads; t++) {
      all[t] =
          CompletableFuture.runAsync(
              () -> {
                ByteBuffer image =
                    ByteBuffer.allocateDirect(data.channels() * data.height() * data.width());
                do {
                  int i = next.getAndIncrement();
                  augmentation.read(new SplittableRandom(i), data, i % data.size(), image, 0);
                } while (System.nanoTime() < end);
              },
              readers);
    }
    CompletableFuture.allOf(all).join();
  }

  private static long cpu() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getProcessCpuTime();
  }
}
