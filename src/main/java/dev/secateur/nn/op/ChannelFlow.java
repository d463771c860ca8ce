package dev.secateur.nn.op;

/**
 * Takes note of which channels (or features) around a node are coupled. All channels have numbers:
 * those of one tensor follow each other.
 */
public interface ChannelFlow {
  /** How many inputs the node has. */
  int inputs();

  /** The number of the first channel of an input. */
  int input(int i);

  /** Channels of an input. */
  int width(int i);

  /** The number of the first channel of the output. */
  int output();

  /** Channels of the output. */
  int width();

  /** Two channels stay or go together. */
  void tie(int a, int b);

  /** The channels of all inputs and of the output stay. */
  void fix();

  /** Channels are tied one by one. */
  default void tie(int a, int b, int count) {
    for (int i = 0; i < count; i++) {
      tie(a + i, b + i);
    }
  }

  /** Each channel of every input is that of the output. */
  default void pass() {
    for (int i = 0; i < inputs(); i++) {
      tie(input(i), output(), width());
    }
  }

  /** Channels that are a period apart are tied. */
  default void tiePeriod(int at, int width, int period) {
    for (int i = period; i < width; i++) {
      tie(at + i - period, at + i);
    }
  }
}
