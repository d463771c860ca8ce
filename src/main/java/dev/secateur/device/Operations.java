package dev.secateur.device;

/**
 * Operations of one kind, as a device has them. Each is checked here, against the device's {@link
 * Contract}, and then compiled by the device: {@code softmax} by {@code compileSoftmax}, which only
 * devices call. Conventions and errors are those of {@link Device}.
 */
public interface Operations {

  /** What the device demands of operands. */
  Contract contract();
}
