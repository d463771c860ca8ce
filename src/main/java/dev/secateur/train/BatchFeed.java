package dev.secateur.train;

import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.nn.BatchInput;
import dev.secateur.nn.Mixing;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Uploads a data set batch by batch. Threads of its own read and decode some batches ahead into
 * staging buffers, so that the device does not wait where the cores suffice. What is uploaded
 * depends on the seed and the epoch only, not on the threads.
 */
public final class BatchFeed implements AutoCloseable {
  private static final int SLOTS = 3;

  private final Device device;
  private final Dataset data;
  private final BatchInput input;
  private final Augmentation augmentation;
  private final long seed;
  private final int[] order;
  private final int batch;
  private final int imageBytes;

  /** Neighbouring images that belong together: 2 of a pair, else 1. */
  private final int each;

  private final ExecutorService readers;
  private final int threads;
  private final Slot[] slots = new Slot[SLOTS];
  private final Cleanup closers = new Cleanup();
  private int images;
  private int epoch;

  /** The batch that the feed began with. */
  private int firstTurn;

  private int turn;
  private int done;

  /** Staging memory of one batch, as the device has it, and the work that fills it. */
  private final class Slot {
    private final HostBuffer all;
    private final ByteBuffer pixels;
    private final ByteBuffer labels;
    private final Optional<ByteBuffer> crops;
    private CompletableFuture<?> filling = CompletableFuture.completedFuture(null);

    Slot() {
      all = device.hostBuffer(input.all().bytes());
      closers.add(all::close);
      pixels = part(input.pixels());
      labels = part(input.labels());
      crops = input.crops().map(this::part);
    }

    ByteBuffer part(Tensor t) {
      return all.bytes()
          .slice(input.place(t), Math.toIntExact(t.bytes()))
          .order(ByteOrder.nativeOrder());
    }
  }

  /**
   * The first {@code limit} images in order; rows beyond the end have label -1. Both images of a
   * pair are rows 2i and 2i+1 of the same batch.
   *
   * @throws SecateurException for pairs in batches of an odd number
   */
  public BatchFeed(Device device, Dataset data, BatchInput input, int limit) {
    this(device, data, input, Augmentation.NONE, 0, data.paired() ? 2 : 1);
    images = Math.min(limit, data.size()) / each * each;
    try {
      checkBatch(data, batch);
      ahead();
    } catch (RuntimeException e) {
      throw Cleanup.after(e, this);
    }
  }

  /**
   * Training: {@link #startEpoch} shuffles, the images of pairs too; only whole batches are taken.
   *
   * @param augmentation what the input has places for
   */
  public BatchFeed(
      Device device, Dataset data, BatchInput input, Augmentation augmentation, long seed) {
    this(device, data, input, augmentation, seed, 1);
  }

  private BatchFeed(
      Device device,
      Dataset data,
      BatchInput input,
      Augmentation augmentation,
      long seed,
      int each) {
    this.device = device;
    this.data = data;
    this.input = input;
    this.augmentation = augmentation;
    this.seed = seed;
    this.batch = input.pixels().shape().size(0);
    this.each = each;
    this.imageBytes = Math.toIntExact(input.pixels().elements() / batch);
    this.order = new int[data.size()];
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
    this.threads = Math.max(1, Math.min(batch, Runtime.getRuntime().availableProcessors()));
    readers =
        Executors.newFixedThreadPool(
            threads,
            r -> {
              Thread t = new Thread(r, "secateur-data");
              t.setDaemon(true);
              return t;
            });
    closers.add(readers::shutdown);
    try {
      for (int i = 0; i < SLOTS; i++) {
        slots[i] = new Slot();
      }
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  /**
   * Whether batches of a size can be fed.
   *
   * @throws SecateurException when they would part the images of a pair
   */
  public static void checkBatch(Dataset data, int batch) {
    if (data.paired() && batch % 2 != 0) {
      throw new SettingException(
          "scoring.batch-size", batch + ": would part a pair of images; expected an even number");
    }
  }

  /**
   * Begins a training epoch: a new order and new crops from the seed.
   *
   * @param from images of it that are left out, whole batches: an earlier start had them
   */
  public void startEpoch(int number, int from) {
    settle();
    epoch = number;
    SplittableRandom random = new SplittableRandom(seed * 1_000_003 + number);
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
    for (int i = order.length - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int o = order[i];
      order[i] = order[j];
      order[j] = o;
    }
    images = data.size() / batch * batch;
    done = from;
    firstTurn = from / batch;
    turn = firstTurn;
    ahead();
  }

  /** Images in all batches together. */
  public int images() {
    return images;
  }

  /** Images uploaded so far. */
  public int done() {
    return done;
  }

  /**
   * Enqueues the next batch's upload and returns its rows that count, which come first; 0 at the
   * end. Images that cannot be read have no row, nor has the other image of their pair.
   *
   * @throws SecateurException for a label that is not below the data's number of classes
   */
  public int next() {
    int rows = 0;
    while (rows == 0 && done < images) {
      if (turn > firstTurn) {
        fill(turn - 1 + SLOTS); // the slot that the device has had a batch's time to read
      }
      Slot s = slots[turn % SLOTS];
      s.filling.join();
      int taken = Math.min(batch, images - done);
      checkLabels(s, taken);
      rows = closeRanks(s, taken);
      if (rows > 0) {
        if (input.mixing().isPresent()) {
          mix(s, input.mixing().get(), rows);
        }
        device.upload(s.all, input.all());
      }
      turn++;
      done += taken;
    }
    return rows;
  }

  /** Draws how the batch is mixed. */
  private void mix(Slot s, Mixing m, int rows) {
    long own = (seed * 37 + epoch) * 1_000_000_009L + done;
    new MixPlan(augmentation, data.height(), data.width(), new SplittableRandom(own))
        .draw(
            s.labels.asIntBuffer(),
            rows,
            batch,
            s.part(m.integers()).asIntBuffer(),
            s.part(m.floats()).asFloatBuffer());
  }

  /** The labels that {@link #next} uploaded last, by row; below 0 in a row that does not count. */
  public int[] labels() {
    int[] out = new int[batch];
    slots[(turn + SLOTS - 1) % SLOTS].labels.asIntBuffer().get(out);
    return out;
  }

  /** Neither device looks at labels that are too large: one gives an error, the other NaN. */
  private void checkLabels(Slot s, int taken) {
    int classes = data.classNames().size();
    ByteBuffer label = s.labels;
    for (int i = 0; i < taken; i++) {
      if (label.getInt(4 * i) >= classes) {
        throw new SecateurException(
            "image "
                + order[done + i]
                + " has label "
                + label.getInt(4 * i)
                + "; expected 0 to "
                + (classes - 1)
                + ", as there are classes");
      }
    }
  }

  /**
   * Moves rows from the end, pairs as such, to where an image could not be read, and returns how
   * many there are. Rows that became free have label -1 and repeat other rows' pixels, because
   * batch norm sees them.
   */
  private int closeRanks(Slot s, int taken) {
    ByteBuffer label = s.labels;
    ByteBuffer pixel = s.pixels;
    int rows = taken;
    for (int i = 0; i < rows; i += each) {
      while (rows > i && missing(label, i)) {
        rows -= each;
        for (int k = 0; k < each; k++) {
          label.putInt(4 * (i + k), label.getInt(4 * (rows + k)));
          label.putInt(4 * (rows + k), -1);
        }
        pixel.put(i * imageBytes, pixel, rows * imageBytes, each * imageBytes);
      }
    }
    for (int i = rows; rows > 0 && i < taken; i++) {
      pixel.put(i * imageBytes, pixel, i % rows * imageBytes, imageBytes);
    }
    return rows;
  }

  private boolean missing(ByteBuffer label, int row) {
    for (int k = 0; k < each; k++) {
      if (label.getInt(4 * (row + k)) < 0) {
        return true;
      }
    }
    return false;
  }

  private void ahead() {
    for (int b = firstTurn; b < firstTurn + SLOTS; b++) {
      fill(b);
    }
  }

  private void fill(int number) {
    long first = (long) number * batch;
    if (first >= images) {
      return;
    }
    Slot s = slots[number % SLOTS];
    s.all.awaitRead();
    CompletableFuture<?>[] parts = new CompletableFuture<?>[threads];
    for (int t = 0; t < threads; t++) {
      int from = batch * t / threads;
      int to = batch * (t + 1) / threads;
      parts[t] = CompletableFuture.runAsync(() -> rows(s, (int) first, from, to), readers);
    }
    s.filling = CompletableFuture.allOf(parts);
  }

  private void rows(Slot s, int first, int from, int to) {
    ByteBuffer label = s.labels;
    for (int i = from; i < to; i++) {
      SplittableRandom own = new SplittableRandom((seed * 31 + epoch) * 1_000_000_007L + first + i);
      if (s.crops.isPresent()) {
        augmentation.draw(own, s.crops.get(), 12 * i);
      }
      boolean counts = first + i < images;
      boolean read =
          counts && augmentation.read(own, data, order[first + i], s.pixels, i * imageBytes);
      label.putInt(4 * i, read ? data.label(order[first + i]) : -1);
    }
  }

  /** Waits until nobody writes to the staging buffers. */
  private void filled() {
    for (Slot s : slots) {
      s.filling.exceptionally(e -> null).join();
    }
  }

  private void settle() {
    filled();
    for (Slot s : slots) {
      s.all.awaitRead();
    }
  }

  @Override
  public void close() {
    filled();
    closers.close();
  }
}
