package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.util.List;

/**
 * The images of a training step as they come from the host.
 *
 * @param padding zero pixels around an image that crops may reach into
 */
record TrainingInput(BatchInput batch, int padding) {

  /**
   * Crops, mirrors, normalises and mixes them into a network's input.
   *
   * @param arena holds what is in between
   */
  Kernel into(Device device, InputScale s, Tensor y, Arena arena) {
    boolean mixes = batch.mixing().isPresent();
    Tensor single = !mixes ? y : arena.allocate(y.shape(), y.dtype(), y.layout());
    Kernel images =
        device
            .moves()
            .imageInput(batch.pixels(), batch.crops(), padding, s.scale(), s.shift(), single);
    if (!mixes) {
      return images;
    }
    Mixing m = batch.mixing().get();
    return Kernel.each(List.of(images, device.moves().mixImages(single, m.plan(), m.blends(), y)));
  }
}
