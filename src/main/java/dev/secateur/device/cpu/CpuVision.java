package dev.secateur.device.cpu;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Kernel;
import dev.secateur.device.ResizeSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.device.VisionKernels;
import dev.secateur.tensor.Tensor;

/** The CPU device's layers beyond plain chains of convolutions. */
final class CpuVision implements VisionKernels {
  private final ElementwiseKernels elementwise;
  private final RowKernels rows;
  private final ScaleKernels scales;

  CpuVision(Dnnl dnnl) {
    elementwise = new ElementwiseKernels(dnnl);
    rows = new RowKernels(dnnl);
    scales = new ScaleKernels(dnnl);
  }

  @Override
  public Kernel elementwise(ElementwiseSpec spec, Tensor x, Tensor y) {
    return elementwise.forward(spec, x, y);
  }

  @Override
  public Kernel elementwiseBackward(ElementwiseSpec spec, Tensor x, Tensor dy, Tensor dx) {
    return elementwise.backward(spec, x, dy, dx);
  }

  @Override
  public Kernel softmax(Tensor x, Tensor y) {
    return rows.softmax(x, y);
  }

  @Override
  public Kernel softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
    return rows.softmaxBackward(y, dy, dx);
  }

  @Override
  public Kernel layerNorm(Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y) {
    return rows.layerNorm(x, gamma, beta, eps, y);
  }

  @Override
  public TrainingKernels layerNormTraining(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      float eps,
      Tensor y,
      Tensor dy,
      Tensor dx,
      Tensor dgamma,
      Tensor dbeta,
      Arena arena) {
    return rows.layerNormTraining(x, gamma, beta, eps, y, dy, dx, dgamma, dbeta, arena);
  }

  @Override
  public Kernel multiply(Tensor a, Tensor b, Tensor y) {
    return scales.multiply(a, b, y);
  }

  @Override
  public Kernel channelProducts(Tensor a, Tensor b, Tensor y) {
    return scales.channelProducts(a, b, y);
  }

  @Override
  public Kernel selectChannels(Tensor x, Tensor channels, Tensor y) {
    return CpuRearrange.selectChannels(x, channels, y);
  }

  @Override
  public Kernel pad(Tensor x, int top, int left, float value, Tensor y) {
    return CpuRearrange.pad(x, top, left, value, y);
  }

  @Override
  public Kernel resize(ResizeSpec spec, Tensor x, Tensor y) {
    return new CpuResize(spec, x, y).forward();
  }

  @Override
  public Kernel resizeBackward(ResizeSpec spec, Tensor dy, Tensor dx) {
    return new CpuResize(spec, dx, dy).backward();
  }

  @Override
  public Kernel addBias(Tensor bias, Activation activation, Tensor y) {
    return scales.addBias(bias, activation, y);
  }
}
