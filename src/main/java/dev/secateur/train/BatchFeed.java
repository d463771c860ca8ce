package dev.secateur.train;

import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.nn.Mixing;
import dev.secateur.tensor.Shape;
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
  private final Tensor pixels;
  private final Tensor labels;
  private final Optional<Tensor> crops;
  private final Optional<Mixing> mixing;
  private final Augmentation augmentation;
  private final long seed;
  private final int[] order;
  private final int batch;
  private final int imageBytes;

  /** Neighbouring images that belong together: 2 of a pair, else 1. */
  private final int each;

  private final ExecutorService readers;
  private final int threads = Math.max(1, Math.min(8, Runtime.getRuntime().availableProcessors()));
  private final Slot[] slots = new Slot[SLOTS];
  private final Cleanup closers = new Cleanup();
  private int images;
  private int epoch;

  /** The batch that the feed began with. */
  private int firstTurn;

  private int turn;
  private int done;

  /** Staging memory of one batch, and the work that fills it. */
  private static final class Slot {
    private final HostBuffer pixels;
    private final HostBuffer labels;
    private final HostBuffer crops;
    private final Optional<HostBuffer> integers;
    private final Optional<HostBuffer> floats;
    private CompletableFuture<?> filling = CompletableFuture.completedFuture(null);

    Slot(
        HostBuffer pixels,
        HostBuffer labels,
        HostBuffer crops,
        Optional<HostBuffer> integers,
        Optional<HostBuffer> floats) {
      this.integers = integers;
      this.floats = floats;
      this.pixels = pixels;
      this.labels = labels;
      this.crops = crops;
    }
  }

  /**
   * The first {@code limit} images in order; rows beyond the end have label -1. Both images of a
   * pair are rows 2i and 2i+1 of the same batch.
   *
   * @throws SecateurException for pairs in batches of an odd number
   */
  public BatchFeed(Device device, Dataset data, Tensor pixels, Tensor labels, int limit) {
    this(device, data, pixels, labels, Optional.empty(), Optional.empty(), Augmentation.NONE, 0);
    images = Math.min(limit, data.size()) / each * each;
    try {
      checkBatch(data, batch);
      ahead();
    } catch (RuntimeException e) {
      throw Cleanup.after(e, this);
    }
  }

  /**
   * Training: {@link #startEpoch} shuffles; only whole batches are taken.
   *
   * @param crops I32 (batch,3), see {@link dev.secateur.device.Moves#imageInput}
   * @param mixing where the augmentation mixes
   */
  public BatchFeed(
      Device device,
      Dataset data,
      Tensor pixels,
      Tensor labels,
      Tensor crops,
      Optional<Mixing> mixing,
      Augmentation augmentation,
      long seed) {
    this(device, data, pixels, labels, Optional.of(crops), mixing, augmentation, seed);
  }

  private BatchFeed(
      Device device,
      Dataset data,
      Tensor pixels,
      Tensor labels,
      Optional<Tensor> crops,
      Optional<Mixing> mixing,
      Augmentation augmentation,
      long seed) {
    this.mixing = mixing;
    this.device = device;
    this.data = data;
    this.pixels = pixels;
    this.labels = labels;
    this.crops = crops;
    this.augmentation = augmentation;
    this.seed = seed;
    this.batch = pixels.shape().size(0);
    this.each = data.paired() ? 2 : 1;
    this.imageBytes = Math.toIntExact(pixels.elements() / batch);
    this.order = new int[data.size()];
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
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
        slots[i] =
            new Slot(
                buffer(pixels.bytes()),
                buffer(labels.bytes()),
                buffer(Shape.of(batch, 3).elements() * 4),
                mixing.map(m -> buffer(m.integers().bytes())),
                mixing.map(m -> buffer(m.floats().bytes())));
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

  private HostBuffer buffer(long bytes) {
    HostBuffer b = device.hostBuffer(bytes);
    closers.add(b::close);
    b.bytes().order(ByteOrder.nativeOrder());
    return b;
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
        device.upload(s.pixels, pixels);
        device.upload(s.labels, labels);
        crops.ifPresent(c -> device.upload(s.crops, c));
        if (mixing.isPresent()) {
          mix(s, mixing.get(), rows);
        }
      }
      turn++;
      done += taken;
    }
    return rows;
  }

  /** Draws how the batch is mixed, and enqueues it. */
  private void mix(Slot s, Mixing m, int rows) {
    HostBuffer integers = s.integers.orElseThrow();
    HostBuffer floats = s.floats.orElseThrow();
    integers.awaitRead();
    floats.awaitRead();
    long own = (seed * 37 + epoch) * 1_000_000_009L + done;
    new MixPlan(augmentation, data.height(), data.width(), new SplittableRandom(own))
        .draw(
            s.labels.bytes().asIntBuffer(),
            rows,
            batch,
            integers.bytes().asIntBuffer(),
            floats.bytes().asFloatBuffer());
    device.upload(integers, m.integers());
    device.upload(floats, m.floats());
  }

  /** The labels that {@link #next} uploaded last, by row; below 0 in a row that does not count. */
  public int[] labels() {
    int[] out = new int[batch];
    slots[(turn + SLOTS - 1) % SLOTS].labels.bytes().asIntBuffer().get(out);
    return out;
  }

  /** Neither device looks at labels that are too large: one gives an error, the other NaN. */
  private void checkLabels(Slot s, int taken) {
    int classes = data.classNames().size();
    ByteBuffer label = s.labels.bytes();
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
    ByteBuffer label = s.labels.bytes();
    ByteBuffer pixel = s.pixels.bytes();
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
    s.pixels.awaitRead();
    s.labels.awaitRead();
    s.crops.awaitRead();
    CompletableFuture<?>[] parts = new CompletableFuture<?>[threads];
    for (int t = 0; t < threads; t++) {
      int from = batch * t / threads;
      int to = batch * (t + 1) / threads;
      parts[t] = CompletableFuture.runAsync(() -> rows(s, (int) first, from, to), readers);
    }
    s.filling = CompletableFuture.allOf(parts);
  }

  private void rows(Slot s, int first, int from, int to) {
    ByteBuffer label = s.labels.bytes();
    for (int i = from; i < to; i++) {
      boolean counts = first + i < images;
      boolean read = counts && data.read(order[first + i], s.pixels.bytes(), i * imageBytes);
      label.putInt(4 * i, read ? data.label(order[first + i]) : -1);
      if (crops.isPresent()) {
        long own = (seed * 31 + epoch) * 1_000_000_007L + first + i;
        augmentation.draw(new SplittableRandom(own), s.crops.bytes(), 12 * i);
      }
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
      s.pixels.awaitRead();
      s.labels.awaitRead();
      s.crops.awaitRead();
    }
  }

  @Override
  public void close() {
    filled();
    closers.close();
  }
}
