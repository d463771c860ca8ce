package dev.secateur.device.cuda;

/** Whether cuDNN has said of a call that it does not support it; it is then not asked again. */
final class Refusal {
  private boolean refused;

  boolean refused() {
    return refused;
  }

  /** Whether this status is the refusal, which is remembered. */
  boolean is(int status) {
    refused = Status.cudnnCannot(status);
    return refused;
  }
}
