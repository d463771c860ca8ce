package dev.secateur.train;

import dev.secateur.SecateurException;

/** A long piece of work was asked to stop; what it had come to is kept as far as it can be. */
public final class Stopped extends SecateurException {
  private static final long serialVersionUID = 1L;

  public Stopped() {
    super("stopped");
  }
}
