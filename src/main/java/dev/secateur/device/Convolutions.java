package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/** Convolutions: x (N,C,H,W), w (K,C/g,R,S), y (N,K,P,Q). */
public interface Convolutions extends Operations {

  /**
   * y = epilogue(convolution(x, w)).
   *
   * @param epilogue bias (K) of the type of activations; residual shaped as y
   * @param frozen the weights do not change after the first launch, so they may be packed once
   */
  default Kernel forward(
      ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y, boolean frozen) {
    check(spec, x, w, y);
    epilogue.bias().ifPresent(b -> Contract.vector("bias", b, contract().type(), y.shape().dim(1)));
    epilogue
        .residual()
        .ifPresent(
            r -> {
              contract().image("residual", r);
              Contract.sameShape("residual and y", r, y);
            });
    return compileForward(spec, x, w, epilogue, y, frozen);
  }

  Kernel compileForward(
      ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y, boolean frozen);

  /** dx = gradient of the loss by x, from dy. */
  default Kernel backwardData(ConvolutionSpec spec, Tensor dy, Tensor w, Tensor dx) {
    check(spec, dx, w, dy);
    return compileBackwardData(spec, dy, w, dx);
  }

  Kernel compileBackwardData(ConvolutionSpec spec, Tensor dy, Tensor w, Tensor dx);

  /** dw = gradient by w (overwritten, not accumulated). */
  default Kernel backwardWeights(ConvolutionSpec spec, Tensor x, Tensor dy, Tensor dw) {
    check(spec, x, dw, dy);
    return compileBackwardWeights(spec, x, dy, dw);
  }

  Kernel compileBackwardWeights(ConvolutionSpec spec, Tensor x, Tensor dy, Tensor dw);

  /**
   * {@link #forward}, {@link #backwardWeights} and {@link #backwardData} of one convolution whose
   * weights change from step to step. Hidden state lies in the arena.
   */
  default ConvolutionKernels training(ConvolutionTraining t, Arena arena) {
    check(t.spec(), t.x(), t.w(), t.y());
    check(t.spec(), t.x(), t.dw(), t.dy());
    t.dx().ifPresent(dx -> contract().alike("x and dx", t.x(), dx));
    return compileTraining(t, arena);
  }

  default ConvolutionKernels compileTraining(ConvolutionTraining t, Arena arena) {
    Epilogue bias = new Epilogue(t.bias(), Optional.empty(), Activation.NONE);
    return new ConvolutionKernels(
        forward(t.spec(), t.x(), t.w(), bias, t.y(), false),
        backwardWeights(t.spec(), t.x(), t.dy(), t.dw()),
        t.dx().map(dx -> backwardData(t.spec(), t.dy(), t.w(), dx)));
  }

  private void check(ConvolutionSpec spec, Tensor x, Tensor w, Tensor y) {
    contract().image("x", x);
    contract().image("y", y);
    contract().filters("w", w);
    Shape xs = x.shape();
    Shape ws = w.shape();
    int groups = spec.groups();
    boolean grouped = groups > 0 && xs.dim(1) == ws.dim(1) * groups && ws.dim(0) % groups == 0;
    that(grouped, "channels must fit " + groups + " groups", x, w);
    long p = spec.outHeight(xs.dim(2), ws.dim(2));
    long q = spec.outWidth(xs.dim(3), ws.dim(3));
    that(p > 0 && q > 0, "the filter must not be larger than the input", x, w);
    Contract.shape("y", y, Shape.of(xs.dim(0), ws.dim(0), p, q));
  }
}
