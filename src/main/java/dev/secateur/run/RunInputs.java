package dev.secateur.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.secateur.data.Labels;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * What a run began with, besides its recipe.
 *
 * @param model the file, as it was given
 * @param modelCrc32 of its bytes
 * @param data as it was given
 * @param device "cpu" or "cuda:N"
 * @param math what the device computes in, such as fp32
 * @param secateur the version
 * @param onnx how an ONNX file was read, where not as usual
 * @param processor the device in words
 * @param labels what is known of the images, where not their classes
 */
@JsonInclude(JsonInclude.Include.NON_ABSENT)
public record RunInputs(
    String model,
    long modelCrc32,
    String data,
    String device,
    String math,
    String secateur,
    Optional<String> onnx,
    Optional<String> processor,
    Optional<Labels> labels) {

  /** What accuracies are called. */
  public String measure() {
    return labels.orElse(Labels.CLASSES).measure();
  }

  /** What work that goes on must agree on: the kind of device, not which one it is. */
  RunInputs comparable() {
    String kind = device.replaceFirst(":.*", "");
    return new RunInputs(
        model, modelCrc32, data, kind, math, secateur, onnx, Optional.empty(), labels);
  }

  /** Says so where work that was begun on one device goes on on another. */
  void warnOfOther(RunInputs now, Consumer<String> warn) {
    if (processor.isPresent() && now.processor.isPresent() && !processor.equals(now.processor)) {
      warn.accept(
          "begun on "
              + processor.get()
              + ", now on "
              + now.processor.get()
              + ": results may differ in their last digits from those of one device");
    }
  }
}
