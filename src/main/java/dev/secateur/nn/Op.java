package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;

/** What a {@link Node} computes. Structure only: numbers live in {@link Model#parameters}. */
public sealed interface Op {

  /**
   * The image input: U8 pixels, normalised to (pixel - mean) / std. Parameters of the node {@code
   * NAME}: {@code NAME.mean}, {@code NAME.std}, (C) or (C,H,W), in pixel units (0..255).
   */
  record Input(int channels, int height, int width) implements Op {}

  /** {@code NAME.weight} (K, C/groups, R, S) and, with bias, {@code NAME.bias} (K). */
  record Convolution(int outChannels, int kernelH, int kernelW, ConvolutionSpec spec, boolean bias)
      implements Op {}

  /** {@code NAME.weight, .bias, .running_mean, .running_var}, each (C). */
  record BatchNorm(float eps, float momentum) implements Op {}

  record Activate(Activation activation) implements Op {}

  record Pool(PoolSpec spec) implements Op {}

  /** Pooling over all of H and W to (N,C,1,1). */
  record GlobalPool(PoolSpec.Kind kind) implements Op {}

  /** Element-wise sum of two inputs. */
  record Add() implements Op {}

  /** Inputs side by side along C. */
  record Concat() implements Op {}

  /** Option-A shortcut: subsampling by stride, zero channels before and after. */
  record Shortcut(int stride, int before, int after) implements Op {}

  /** (N,C,H,W) to (N, C*H*W) in NCHW order. */
  record Flatten() implements Op {}

  /** {@code NAME.weight} (K, C) and, with bias, {@code NAME.bias} (K). */
  record Linear(int outFeatures, boolean bias) implements Op {}

  /** Passes its input on; dropout in networks that are read from elsewhere. */
  record Identity() implements Op {}
}
