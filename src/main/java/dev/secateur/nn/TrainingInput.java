package dev.secateur.nn;

import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/**
 * The images of a training step as they come from the host.
 *
 * @param pixels U8 (batch,C,H,W), PLAIN
 * @param crops I32 (batch,3), see {@link dev.secateur.device.Moves#imageInput}
 * @param padding zero pixels around an image that crops may reach into
 */
record TrainingInput(Tensor pixels, Tensor crops, int padding) {

  /** Crops, mirrors and normalises them into a network's input. */
  Kernel into(Device device, InputScale s, Tensor y) {
    return device.moves().imageInput(pixels, Optional.of(crops), padding, s.scale(), s.shift(), y);
  }
}
