package dev.secateur.device.cuda;

/** Whether cuDNN has said of a call that it does not support it; it is then not asked again. */
final class Refusal {
  private boolean asked;
  private boolean refused;

  /** Whether it was asked at all. */
  boolean asked() {
    return asked;
  }

  boolean refused() {
    return refused;
  }

  /** Whether this status is the refusal, which is remembered. */
  boolean is(int status) {
    asked = true;
    refused = Status.cudnnCannot(status);
    return refused;
  }
}
