package dev.secateur.nn.op;

import java.util.Arrays;

/** Which channels around a node are left when some are removed; ascending. */
public interface KeptChannels {
  /** How many inputs the node has. */
  int inputs();

  /** Channels of an input before. */
  int before(int i);

  /** Those of them that are left. */
  int[] in(int i);

  /** Those of the output that are left. */
  int[] out();

  /** Those of the first of some equally large groups, which stand for those of each. */
  static int[] ofOneGroup(int[] channels, int width, int groups) {
    return groups == 1
        ? channels
        : Arrays.stream(channels).filter(c -> c < width / groups).toArray();
  }
}
