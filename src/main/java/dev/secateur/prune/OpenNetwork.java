package dev.secateur.prune;

import dev.secateur.nn.Network;

/**
 * The network that a pruning has come to: each step puts a smaller one in the place of the last.
 * For a try-with-resources, where a failure to close does not hide what failed before.
 */
public final class OpenNetwork implements AutoCloseable {
  private Network now;

  /** Takes over a network, to be closed with this. */
  public OpenNetwork(Network first) {
    now = first;
  }

  public Network get() {
    return now;
  }

  /** Closes the network and takes over the next. */
  public void replace(Network next) {
    Network before = now;
    now = next;
    before.close();
  }

  @Override
  public void close() {
    now.close();
  }
}
