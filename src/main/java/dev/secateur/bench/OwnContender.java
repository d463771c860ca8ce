package dev.secateur.bench;

import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Sgd;
import dev.secateur.nn.TrainingProgram;
import dev.secateur.tensor.Tensor;
import java.util.Optional;
import java.util.SplittableRandom;

/** A network compiled on one of our devices; its input is noise. */
public final class OwnContender implements Contender {
  private final Device device;
  private final Network net;
  private final Runnable run;
  private final Runnable close;
  private final long bytes;

  private OwnContender(Device device, Network net, Runnable run, Runnable close, long bytes) {
    this.device = device;
    this.net = net;
    this.run = run;
    this.close = close;
    this.bytes = bytes;
  }

  /** The forward pass. */
  public static Contender inference(Device device, Model model, int batch) {
    Network net = new Network(device, model);
    InferenceProgram p = InferenceProgram.compile(net, batch, Optional.empty());
    noise(device, p.pixels());
    return new OwnContender(device, net, p::run, p::close, net.bytes() + p.bytes());
  }

  /** A whole training step: forward, loss, backward, SGD with momentum. */
  public static Contender training(Device device, Model model, int batch) {
    Network net = new Network(device, model);
    TrainingProgram p = TrainingProgram.compile(net, batch, new Sgd(0.9f, false, 1e-4f, 0), 0);
    p.setLearningRate(1e-4f);
    noise(device, p.pixels());
    return new OwnContender(device, net, p::step, p::close, net.bytes() + p.bytes());
  }

  private static void noise(Device device, Tensor pixels) {
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
    return device.time(run);
  }

  @Override
  public long deviceBytes() {
    return bytes;
  }

  @Override
  public void close() {
    close.run();
    net.close();
  }
}
