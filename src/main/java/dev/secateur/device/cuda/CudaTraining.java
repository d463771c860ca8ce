package dev.secateur.device.cuda;

import dev.secateur.device.AdamSpec;
import dev.secateur.device.Contract;
import dev.secateur.device.GroupPenalty;
import dev.secateur.device.Kernel;
import dev.secateur.device.SgdSpec;
import dev.secateur.device.Targets;
import dev.secateur.device.Training;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/** The loss and the step; kernels/reductions.cu and elementwise.cu. */
final class CudaTraining implements Training {
  private final Contract contract;
  private final CudaKernels kernels;
  private final CudaWorkspace workspace;

  CudaTraining(Contract contract, CudaKernels kernels, CudaWorkspace workspace) {
    this.contract = contract;
    this.kernels = kernels;
    this.workspace = workspace;
  }

  @Override
  public Contract contract() {
    return contract;
  }

  @Override
  public Kernel compileCrossEntropy(
      Tensor logits, Tensor labels, Targets targets, Tensor metrics, Optional<Tensor> dlogits) {
    Optional<Targets.Teacher> teacher = targets.teacher();
    long rows = logits.shape().dim(0);
    long classes = logits.shape().dim(1);
    long ranks = CudaWorkspace.aligned(rows * Double.BYTES);
    workspace.reserve(ranks + rows * Integer.BYTES);
    Kernel each =
        kernels
            .launch("cross_entropy")
            .arg(logits)
            .arg(labels)
            .arg((double) targets.smoothing())
            .arg(targets.mix().map(Targets.Mix::labels))
            .arg(targets.mix().map(Targets.Mix::shares))
            .arg(teacher.map(Targets.Teacher::logits))
            .arg(teacher.map(Targets.Teacher::temperature).orElse(1f))
            .arg(teacher.map(Targets.Teacher::weight).orElse(0f))
            .workspace(0)
            .workspace(ranks)
            .arg(dlogits)
            .arg(rows)
            .arg(classes)
            .rows(rows, classes);
    Kernel sum =
        kernels
            .launch("metrics")
            .workspace(0)
            .workspace(ranks)
            .arg(labels)
            .arg(metrics)
            .arg(rows)
            .one();
    return () -> {
      each.launch();
      sum.launch();
    };
  }

  @Override
  public Kernel compileImitation(
      Tensor output,
      Tensor reference,
      Tensor labels,
      Tensor ends,
      Tensor metrics,
      Optional<Tensor> gradient) {
    long rows = output.shape().dim(0);
    long columns = output.shape().dim(1);
    workspace.reserve(rows * Double.BYTES);
    Kernel each =
        kernels
            .launch("imitation")
            .arg(output)
            .arg(reference)
            .arg(labels)
            .arg(ends)
            .arg(ends.elements())
            .workspace(0)
            .arg(gradient)
            .arg(rows)
            .arg(columns)
            .rows(rows, columns);
    Kernel sum =
        kernels.launch("imitation_metrics").workspace(0).arg(labels).arg(metrics).arg(rows).one();
    return () -> {
      each.launch();
      sum.launch();
    };
  }

  @Override
  public Kernel compileSgd(Tensor p, Tensor grad, Tensor velocity, Tensor lr, SgdSpec spec) {
    return step(p, grad, velocity, lr, spec, Optional.empty());
  }

  @Override
  public Kernel compileAverage(Tensor average, Tensor x, Tensor share) {
    return kernels
        .launch("average")
        .arg(average)
        .arg(x)
        .arg(share)
        .arg(x.elements())
        .over(x.elements());
  }

  @Override
  public Kernel compileGroupPenalty(
      Tensor p, Tensor grad, Tensor rows, Tensor strengths, GroupPenalty kind) {
    long count = rows.shape().dim(0);
    return kernels
        .launch("group_penalty")
        .arg(p)
        .arg(grad)
        .arg(rows)
        .arg(strengths)
        .arg(kind == GroupPenalty.LASSO)
        .arg(count)
        .rows(count, p.elements() / count);
  }

  @Override
  public Kernel compileAdamW(
      Tensor p, Tensor grad, Tensor mean, Tensor square, Tensor lr, Tensor steps, AdamSpec spec) {
    return step(p, grad, mean, square, lr, steps, spec, Optional.empty());
  }

  /** A step of AdamW, likewise. */
  Kernel step(
      Tensor p,
      Tensor grad,
      Tensor mean,
      Tensor square,
      Tensor lr,
      Tensor steps,
      AdamSpec spec,
      Optional<Tensor> unlessOverflow) {
    Kernel count =
        kernels
            .launch("adam_count")
            .arg(steps)
            .arg(spec.beta1())
            .arg(spec.beta2())
            .arg(unlessOverflow)
            .one();
    Kernel update =
        kernels
            .launch("adamw")
            .arg(p)
            .arg(grad)
            .arg(mean)
            .arg(square)
            .arg(lr)
            .arg(steps)
            .arg(spec.beta1())
            .arg(spec.beta2())
            .arg(spec.eps())
            .arg(spec.weightDecay())
            .arg(spec.decayed())
            .arg(unlessOverflow)
            .arg(p.elements())
            .over(p.elements());
    return Kernel.each(List.of(count, update));
  }

  /**
   * A step of SGD.
   *
   * @param unlessOverflow the state of a scaled loss, after whose overflow nothing is done
   */
  Kernel step(
      Tensor p,
      Tensor grad,
      Tensor velocity,
      Tensor lr,
      SgdSpec spec,
      Optional<Tensor> unlessOverflow) {
    return kernels
        .launch("sgd")
        .arg(p)
        .arg(grad)
        .arg(velocity)
        .arg(lr)
        .arg(spec.momentum())
        .arg(spec.weightDecay())
        .arg(spec.decayed())
        .arg(spec.nesterov())
        .arg(unlessOverflow)
        .arg(p.elements())
        .over(p.elements());
  }
}
