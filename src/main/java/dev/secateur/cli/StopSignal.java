package dev.secateur.cli;

import dev.secateur.train.ProgressListener;
import dev.secateur.train.Stopped;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * SIGTERM and SIGINT ask a command to stop where it can go on later, rather than end it: a training
 * keeps its state between two steps, anything else ends where it next tells how far it is. Java
 * then ends with the command's exit code, or by force where the command takes too long.
 */
final class StopSignal implements AutoCloseable {
  /** sysexits.h: a failure that is over when one tries again. */
  static final int EXIT_CODE = 75;

  /** Batch systems kill half a minute after they have asked. */
  private static final int PATIENCE_SECONDS = 25;

  private static final CountDownLatch ENDED = new CountDownLatch(1);
  private static volatile int code = EXIT_CODE;

  private final Thread hook = new Thread(this::stop, "secateur-stop");
  private volatile boolean asked;

  StopSignal() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** Runs while Java shuts down, beside the command. */
  private void stop() {
    asked = true;
    boolean ended = false;
    try {
      ended = ENDED.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(ended ? code : EXIT_CODE);
  }

  /** The command is over and has said what it had to say. */
  static void ended(int exitCode) {
    code = exitCode;
    ENDED.countDown();
  }

  /** Whether there was a signal. */
  boolean asked() {
    return asked;
  }

  /** A listener that ends what it is told of once there was a signal; training ends by itself. */
  ProgressListener ending(ProgressListener to) {
    return new ProgressListener.Forwarding(to) {
      private boolean training;

      @Override
      public void start(String phase, long total) {
        training = false;
        super.start(phase, total);
      }

      @Override
      public void epoch(int number, int of, long images) {
        training = true;
        super.epoch(number, of, images);
      }

      @Override
      public void step(long done, Map<String, Double> values) {
        if (asked && !training) {
          throw new Stopped();
        }
        super.step(done, values);
      }
    };
  }

  @Override
  public void close() {
    if (!asked) {
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // Java shuts down: the hook does what is left to do
      }
    }
  }
}
