package dev.secateur.device.cuda;

import dev.secateur.device.ConvolutionSpec;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * A convolution as cuDNN is asked for it, in any of its directions: x, w and y stand for their
 * gradients as well.
 *
 * @param spec of symmetric padding
 * @param math of {@link jcuda.jcudnn.cudnnMathType}, with which the search for an algorithm begins
 */
record ConvolutionProblem(
    Cudnn.Memory xm,
    Cudnn.Memory wm,
    Cudnn.Memory ym,
    ConvolutionSpec spec,
    int math,
    cudnnTensorDescriptor x,
    cudnnFilterDescriptor w,
    cudnnTensorDescriptor y) {

  static ConvolutionProblem of(
      Cudnn cudnn, Cudnn.Memory x, Cudnn.Memory w, Cudnn.Memory y, ConvolutionSpec spec, int math) {
    return new ConvolutionProblem(
        x, w, y, spec, math, cudnn.tensor(x), cudnn.filter(w), cudnn.tensor(y));
  }

  /** All that cuDNN knows about it, in one line. */
  String key() {
    return String.join(
        " ",
        "x=" + xm.shape(),
        "w=" + wm.shape(),
        "y=" + ym.shape(),
        "type=" + xm.type(),
        "layout=" + xm.layout(),
        "stride=" + spec.strideH() + "," + spec.strideW(),
        "pad=" + spec.padTop() + "," + spec.padLeft(),
        "dilation=" + spec.dilationH() + "," + spec.dilationW(),
        "groups=" + spec.groups(),
        "math=" + math);
  }
}
