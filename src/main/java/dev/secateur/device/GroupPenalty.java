package dev.secateur.device;

/** What pulls groups of parameters to zero, see {@link Training#groupPenalty}. */
public enum GroupPenalty {
  /** strength |w|: the gradient has the length {@code strength}, however short w is. */
  LASSO,

  /** strength/2 |w|²: the gradient is in proportion to w. */
  RIDGE
}
