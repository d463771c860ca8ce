package dev.secateur.device.cpu;

import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A fixed team of daemon threads, one per core with the caller, that shares out numbered tasks.
 * Running a job allocates nothing. One job at a time; a second caller waits.
 */
final class CpuParallel {
  /** Work on one task; {@code slot} tells the threads of the team apart, 0 ≤ slot < slots(). */
  @FunctionalInterface
  interface Body {
    void run(int task, int slot);
  }

  private static final CpuParallel TEAM =
      new CpuParallel(Runtime.getRuntime().availableProcessors());

  private final int helpers;
  private final Semaphore start = new Semaphore(0);
  private final Semaphore finished = new Semaphore(0);
  private final AtomicInteger next = new AtomicInteger();
  private final AtomicInteger freeSlot = new AtomicInteger();
  private volatile Body body = (task, slot) -> {};
  private volatile int tasks;
  private volatile Throwable failure;

  private CpuParallel(int threads) {
    helpers = Math.max(0, threads - 1);
    for (int i = 0; i < helpers; i++) {
      Thread t = new Thread(this::help, "secateur-cpu-" + (i + 1));
      t.setDaemon(true);
      t.start();
    }
  }

  /** How many threads may work at once: the size of per-thread scratch arrays. */
  static int slots() {
    return TEAM.helpers + 1;
  }

  /**
   * Runs {@code body} for 0 ≤ task < tasks, on several threads when the whole is worth waking them.
   *
   * @param work about how many elements all tasks touch together
   */
  static void run(int tasks, long work, Body body) {
    if (tasks == 1 || work < 1 << 16 || TEAM.helpers == 0) {
      for (int i = 0; i < tasks; i++) {
        body.run(i, 0);
      }
    } else {
      TEAM.share(tasks, body);
    }
  }

  private synchronized void share(int count, Body job) {
    body = job;
    tasks = count;
    failure = null;
    next.set(0);
    freeSlot.set(1);
    int woken = Math.min(helpers, count - 1);
    start.release(woken);
    drain(0);
    finished.acquireUninterruptibly(woken);
    Throwable t = failure;
    if (t instanceof RuntimeException e) {
      throw e;
    }
    if (t instanceof Error e) {
      throw e;
    }
  }

  private void help() {
    while (true) {
      start.acquireUninterruptibly();
      drain(freeSlot.getAndIncrement());
      finished.release();
    }
  }

  private void drain(int slot) {
    try {
      int count = tasks;
      for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
        body.run(i, slot);
      }
    } catch (RuntimeException | Error e) {
      failure = e;
      next.set(Integer.MAX_VALUE / 2);
    }
  }
}
