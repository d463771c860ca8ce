package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.ResizeSpec;
import dev.secateur.tensor.Shape;
import java.util.List;

/** What a {@link Node} computes. Structure only: numbers live in {@link Model#parameters}. */
public sealed interface Op {

  /**
   * The same operation on other numbers of channels (or features). One whose output channels are
   * not its own to choose stays as it is.
   *
   * @param before channels that it reads now, which tell a depthwise convolution: its groups follow
   * @param in channels that it is to read
   * @param out channels that it is to put out
   */
  default Op resized(int before, int in, int out) {
    if (this instanceof Convolution c) {
      return new Convolution(out, c.kernelH, c.kernelW, c.spec.ofWidth(before, in), c.bias);
    }
    if (this instanceof TransposedConvolution t) {
      return new TransposedConvolution(
          out, t.kernelH, t.kernelW, t.spec.ofWidth(before, in), t.extraH, t.extraW, t.bias);
    }
    return this instanceof Linear l ? new Linear(out, l.bias) : this;
  }

  /** Whether its outputs are filters': those of convolutions, plain or transposed, are. */
  default boolean hasFilters() {
    return this instanceof Convolution || this instanceof TransposedConvolution;
  }

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

  record Elementwise(ElementwiseSpec spec) implements Op {}

  /** Softmax over the channels (or features). */
  record Softmax() implements Op {}

  /** Layer norm over the channels of each position: {@code NAME.weight, .bias}, each (C). */
  record LayerNorm(float eps) implements Op {}

  record Pool(PoolSpec spec) implements Op {}

  /** Pooling over all of H and W to (N,C,1,1). */
  record GlobalPool(PoolSpec.Kind kind) implements Op {
    /** The same as a window over the whole of an input. */
    PoolSpec window(Shape x) {
      return new PoolSpec(kind, x.size(2), x.size(3), 1, 1, 0, 0, 0, 0);
    }
  }

  /** Element-wise sum of two inputs. */
  record Add() implements Op {}

  /** Product of two inputs of equal shape, or of (N,C,H,W) and a factor (N,C,1,1) a channel. */
  record Multiply() implements Op {}

  /** Inputs side by side along C. */
  record Concat() implements Op {}

  /** y[:, j] = x[:, channels[j]]: slices, splits and shuffles of channels. */
  record SelectChannels(List<Integer> channels) implements Op {
    public SelectChannels {
      channels = List.copyOf(channels);
    }
  }

  /** A border of equal values around height and width; negative sizes crop. */
  record Pad(int top, int left, int bottom, int right, float value) implements Op {}

  record Resize(ResizeSpec spec) implements Op {}

  /**
   * Transposed convolution, the gradient of a convolution by its input: {@code NAME.weight} (C,
   * K/groups, R, S) and, with bias, {@code NAME.bias} (K). Height: (H - 1) stride - padding above
   * and below + dilation (R - 1) + 1 + extra.
   *
   * @param extraH rows more at the bottom (output padding)
   * @param extraW columns more at the right
   */
  record TransposedConvolution(
      int outChannels,
      int kernelH,
      int kernelW,
      ConvolutionSpec spec,
      int extraH,
      int extraW,
      boolean bias)
      implements Op {}

  /** Option-A shortcut: subsampling by stride, zero channels before and after. */
  record Shortcut(int stride, int before, int after) implements Op {}

  /** (N,C,H,W) to (N, C*H*W) in NCHW order. */
  record Flatten() implements Op {}

  /** {@code NAME.weight} (K, C) and, with bias, {@code NAME.bias} (K). */
  record Linear(int outFeatures, boolean bias) implements Op {}

  /** Passes its input on; dropout in networks that are read from elsewhere. */
  record Identity() implements Op {}
}
