package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * The images of a training step as they come from the host.
 *
 * @param pixels U8 (batch,C,H,W), PLAIN
 * @param crops I32 (batch,3), see {@link dev.secateur.device.Moves#imageInput}
 * @param padding zero pixels around an image that crops may reach into
 * @param mixing where images are mixed
 */
record TrainingInput(Tensor pixels, Tensor crops, int padding, Optional<Mixing> mixing) {

  /**
   * Crops, mirrors, normalises and mixes them into a network's input.
   *
   * @param arena holds what is in between
   */
  Kernel into(Device device, InputScale s, Tensor y, Arena arena) {
    Tensor single = mixing.isEmpty() ? y : arena.allocate(y.shape(), y.dtype(), y.layout());
    Kernel images =
        device
            .moves()
            .imageInput(pixels, Optional.of(crops), padding, s.scale(), s.shift(), single);
    if (mixing.isEmpty()) {
      return images;
    }
    Mixing m = mixing.get();
    return Kernel.each(List.of(images, device.moves().mixImages(single, m.plan(), m.blends(), y)));
  }
}
