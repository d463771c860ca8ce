package dev.secateur.bench;

import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Learning;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.TrainingProgram;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.BiFunction;

/** A network compiled on one of our devices; its input is noise. */
public final class OwnContender implements Contender {
  private final Device device;
  private final Cleanup closers = new Cleanup();
  private final Program program;
  private final long bytes;

  /** What is timed, its input and its memory. */
  private record Program(Runnable run, Tensor pixels, long bytes) {}

  private OwnContender(Device device, Model model, BiFunction<Network, Cleanup, Program> compiler) {
    this.device = device;
    try {
      Network net = new Network(device, model);
      closers.add(net::close);
      device.takeScratchBytes();
      program = compiler.apply(net, closers);
      bytes = net.bytes() + program.bytes() + device.takeScratchBytes();
      noise(device, program.pixels());
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  /** The forward pass. */
  public static OwnContender inference(Device device, Model model, int batch) {
    return new OwnContender(
        device,
        model,
        (net, closers) -> {
          InferenceProgram p = InferenceProgram.compile(net, batch, Optional.empty());
          closers.add(p::close);
          return new Program(p::run, p.pixels(), p.bytes());
        });
  }

  /** A whole training step: forward, loss, backward, SGD with momentum. */
  public static OwnContender training(Device device, Model model, int batch) {
    Learning sgd = Learning.sgd(0.9f, false, 1e-4f, false, 0);
    return new OwnContender(
        device,
        model,
        (net, closers) -> {
          TrainingProgram p = TrainingProgram.compile(net, batch, sgd, 0);
          closers.add(p::close);
          p.setLearningRate(1e-4f);
          return new Program(p::step, p.pixels(), p.bytes());
        });
  }

  /** Fills pixels. */
  static void noise(Device device, Tensor pixels) {
    try (HostBuffer host = device.hostBuffer(pixels.bytes())) {
      byte[] bytes = new byte[Math.toIntExact(pixels.bytes())];
      new SplittableRandom(1).nextBytes(bytes);
      host.bytes().put(0, bytes);
      device.upload(host, pixels);
      host.awaitRead();
    }
  }

  @Override
  public String engine() {
    return "secateur";
  }

  @Override
  public double run() {
    return device.time(program.run());
  }

  /** Computes so many batches in a row and waits for the last; milliseconds for all. */
  double run(int batches) {
    return device.time(
        () -> {
          for (int i = 0; i < batches; i++) {
            program.run().run();
          }
        });
  }

  @Override
  public long peakBytes() {
    return bytes;
  }

  @Override
  public void close() {
    closers.close();
  }
}
