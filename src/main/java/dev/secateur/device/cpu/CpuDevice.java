package dev.secateur.device.cpu;

import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.device.Convolutions;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.Kernel;
import dev.secateur.device.KernelTimes;
import dev.secateur.device.Linear;
import dev.secateur.device.Matrices;
import dev.secateur.device.Moves;
import dev.secateur.device.Norms;
import dev.secateur.device.Pls;
import dev.secateur.device.Pointwise;
import dev.secateur.device.Pools;
import dev.secateur.device.Precision;
import dev.secateur.device.Reductions;
import dev.secateur.device.Training;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The processor: layers by oneDNN, matrices by OpenBLAS, on all cores. Kernels run while they are
 * launched, so there is nothing to wait for.
 */
public final class CpuDevice implements Device {
  static {
    // JavaCPP otherwise refuses small allocations once the process is large, which arenas make it.
    for (String limit : List.of("maxBytes", "maxPhysicalBytes")) {
      String key = "org.bytedeco.javacpp." + limit;
      if (System.getProperty(key) == null) {
        System.setProperty(key, "0");
      }
    }
    ThreadWaits.bound();
  }

  static final Contract CONTRACT = new Contract(DType.F32, Layout.CHANNELS_LAST, Layout.PLAIN, 1);

  private final Set<CpuArena> arenas = new HashSet<>();
  private final Dnnl dnnl = new Dnnl();
  private final DnnlPointwise pointwise = new DnnlPointwise(dnnl);
  private final DnnlConvolutions convolutions;
  private final DnnlLinear linear = new DnnlLinear(dnnl);
  private final CpuReductions reductions = new CpuReductions();
  private final DnnlNorms norms = new DnnlNorms(dnnl, pointwise, reductions);
  private final DnnlPools pools = new DnnlPools(dnnl);
  private final DnnlMoves moves = new DnnlMoves(dnnl);
  private final BlasMatrices matrices = new BlasMatrices();
  private final CpuPls pls = new CpuPls();
  private final CpuTraining training = new CpuTraining();

  /** In single precision. */
  public CpuDevice() {
    this(false);
  }

  private CpuDevice(boolean narrow) {
    convolutions = new DnnlConvolutions(dnnl, narrow);
  }

  /**
   * A device that rounds the factors of convolutions (not depthwise and grouped ones) to BF16 if so
   * wanted; sums and everything else are in F32.
   *
   * @throws IllegalArgumentException in one line, if the processor cannot compute so
   */
  public static CpuDevice open(Precision precision) {
    return switch (precision) {
      case FP32 -> new CpuDevice();
      case BF16 -> {
        if (!multipliesBfloat()) {
          throw new IllegalArgumentException(
              "bf16 on the cpu device needs a processor with AVX512-BF16 or AMX; this one has "
                  + CpuInfo.isa());
        }
        yield new CpuDevice(true);
      }
      case FP16, TF32 ->
          throw new IllegalArgumentException(
              "the cpu device computes in fp32 and bf16; " + precision + " needs a GPU");
    };
  }

  /** Whether the processor opens in BF16. */
  public static boolean multipliesBfloat() {
    return CpuInfo.multipliesBfloat();
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String description() {
    return CpuInfo.description();
  }

  @Override
  public Map<String, String> versions() {
    return CpuInfo.versions();
  }

  @Override
  public Contract contract() {
    return CONTRACT;
  }

  @Override
  public Arena newArena() {
    CpuArena a = new CpuArena(arenas::remove);
    arenas.add(a);
    return a;
  }

  @Override
  public HostBuffer hostBuffer(long bytes) {
    return new CpuHostBuffer(bytes);
  }

  @Override
  public void upload(HostBuffer src, Tensor dst) {
    Contract.upload(src, dst);
    CpuCopies.upload(src.bytes(), dst);
  }

  @Override
  public void upload(float[] src, Tensor dst) {
    CONTRACT.upload(src.length, dst);
    CpuCopies.upload(src, dst);
  }

  @Override
  public void upload(int[] src, Tensor dst) {
    Contract.uploadIntegers(src.length, dst);
    CpuCopies.upload(src, dst);
  }

  @Override
  public float[] downloadFloats(Tensor src) {
    CONTRACT.download(src);
    return CpuCopies.floats(src);
  }

  @Override
  public double[] downloadDoubles(Tensor src) {
    CONTRACT.download(src);
    return CpuCopies.doubles(src);
  }

  @Override
  public void synchronize() {}

  @Override
  public Kernel sequence(List<Kernel> kernels, Arena arena) {
    return Kernel.each(kernels);
  }

  @Override
  public double time(Runnable work) {
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) / 1e6;
  }

  @Override
  public KernelTimes timeEach(Kernel ahead, List<Kernel> kernels) {
    ahead.launch();
    double[] out = new double[kernels.size()];
    long before = System.nanoTime();
    for (int i = 0; i < out.length; i++) {
      kernels.get(i).launch();
      long now = System.nanoTime();
      out[i] = (now - before) / 1e6;
      before = now;
    }
    return new KernelTimes(out, true);
  }

  @Override
  public Convolutions convolutions() {
    return convolutions;
  }

  @Override
  public Linear linear() {
    return linear;
  }

  @Override
  public Norms norms() {
    return norms;
  }

  @Override
  public Pools pools() {
    return pools;
  }

  @Override
  public Pointwise pointwise() {
    return pointwise;
  }

  @Override
  public Reductions reductions() {
    return reductions;
  }

  @Override
  public Moves moves() {
    return moves;
  }

  @Override
  public Matrices matrices() {
    return matrices;
  }

  @Override
  public Pls pls() {
    return pls;
  }

  @Override
  public Training training() {
    return training;
  }

  @Override
  public void close() {
    Set.copyOf(arenas).forEach(CpuArena::close);
    convolutions.close();
    dnnl.close();
  }
}
