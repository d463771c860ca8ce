package dev.secateur.nn.op;

import dev.secateur.device.ConvolutionSpec;
import java.util.Locale;

/** An operation with filters: a convolution, plain or transposed. */
public sealed interface FilterBank permits Convolution, TransposedConvolution {
  int outChannels();

  int kernelH();

  int kernelW();

  ConvolutionSpec spec();

  boolean bias();

  /** "3x3/2 groups 4". */
  default String window() {
    return kernelH()
        + "x"
        + kernelW()
        + (spec().strideH() == 1 ? "" : "/" + spec().strideH())
        + (spec().groups() == 1 ? "" : " groups " + spec().groups());
  }

  /** A constant of an enum in lower-case words. */
  static String words(Object name) {
    return name.toString().toLowerCase(Locale.ROOT).replace('_', ' ');
  }
}
