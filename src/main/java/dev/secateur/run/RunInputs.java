package dev.secateur.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Optional;

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
 */
@JsonInclude(JsonInclude.Include.NON_ABSENT)
public record RunInputs(
    String model,
    long modelCrc32,
    String data,
    String device,
    String math,
    String secateur,
    Optional<String> onnx) {}
