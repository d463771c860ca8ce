package dev.secateur.device.cuda;

import dev.secateur.SecateurException;
import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.device.Convolutions;
import dev.secateur.device.Device;
import dev.secateur.device.DeviceReport;
import dev.secateur.device.EnergyMeter;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.Kernel;
import dev.secateur.device.KernelTimes;
import dev.secateur.device.Linear;
import dev.secateur.device.Matrices;
import dev.secateur.device.MixedPrecision;
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
import dev.secateur.util.Cleanup;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * An NVIDIA GPU: layers by cuDNN, matrices by cuBLAS and cuSolver, the rest by our own kernels, all
 * on one stream. In single precision activations are N, C, H, W. For tensor cores (TF32, FP16,
 * BF16) they are N, H, W, C and filters K, R, S, C, which is how those read them: cuDNN would turn
 * N, C, H, W around before and after every convolution. {@link #sequence} makes a CUDA graph,
 * unless {@code -Dsecateur.cuda.graphs=false} is given.
 */
public final class CudaDevice implements Device {
  /** Compute capability of the first GPUs with TF32. */
  private static final int AMPERE = 80;

  private final Precision precision;
  private final Contract contract;
  private final Cleanup closers = new Cleanup();
  private final Fallbacks fallbacks = new Fallbacks();
  private final Set<CudaArena> arenas = new HashSet<>();
  private final Set<CudaHostBuffer> hostBuffers = new HashSet<>();
  private final CudaContext context;
  private final CudaWorkspace workspace;
  private final CudaGraphs graphs;
  private final CudaCopies copies;
  private final CudaTimer timer;
  private final CudaPointwise pointwise;
  private final CudaMoves moves;
  private final CudaReductions reductions;
  private final CudaPls pls;
  private final CublasMatrices matrices;
  private final CublasLinear linear;
  private final CudnnConvolutions convolutions;
  private final CudnnNorms norms;
  private final CudnnPools pools;
  private final CudaTraining training;
  private final MixedPrecision mixed;
  private boolean closed;

  private CudaDevice(int ordinal, Precision precision) {
    this.precision = precision;
    contract = contract(precision);
    try {
      context = new CudaContext(ordinal);
      closers.add(context::close);
      copies = new CudaCopies(context);
      closers.add(copies::close);
      timer = new CudaTimer(context);
      closers.add(timer::close);
      workspace = new CudaWorkspace(context);
      closers.add(workspace::close);
      graphs = new CudaGraphs(context, workspace);
      CudaKernels kernels = new CudaKernels(context, workspace);
      closers.add(kernels::close);
      Cudnn cudnn = new Cudnn(context);
      closers.add(cudnn::close);
      pointwise = new CudaPointwise(contract, kernels);
      matrices = new CublasMatrices(contract, context, kernels, workspace);
      closers.add(matrices::close);
      linear = new CublasLinear(contract, context, matrices, pointwise, precision);
      moves = new CudaMoves(contract, context, kernels);
      reductions = new CudaReductions(contract, kernels);
      pls = new CudaPls(contract, kernels, workspace);
      convolutions =
          new CudnnConvolutions(
              contract, context, cudnn, workspace, pointwise, moves, graphs, timer, precision,
              fallbacks);
      closers.add(convolutions::close);
      norms = new CudnnNorms(contract, context, cudnn, workspace, reductions, kernels);
      pools = new CudnnPools(contract, context, cudnn, kernels);
      training = new CudaTraining(contract, kernels, workspace);
      mixed =
          new CudaMixedPrecision(
              kernels,
              training,
              activationType(),
              (values, arena) -> CudaMixedPrecision.ints(copies, values, arena));
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  private static Contract contract(Precision precision) {
    DType type =
        switch (precision) {
          case FP32, TF32 -> DType.F32;
          case FP16 -> DType.F16;
          case BF16 -> DType.BF16;
        };
    Layout layout = precision == Precision.FP32 ? Layout.PLAIN : Layout.CHANNELS_LAST;
    int multiple =
        switch (precision) {
          case FP32 -> 1;
          case TF32 -> 4; // 16 bytes, which tensor cores' kernels take at once
          case FP16, BF16 -> 8;
        };
    boolean padded = Boolean.parseBoolean(System.getProperty("secateur.cuda.pad-channels", "true"));
    return new Contract(type, layout, layout, padded ? multiple : 1);
  }

  /**
   * @throws SecateurException in one line, if the driver, a library or the GPU is missing
   */
  public static CudaDevice open(int ordinal, Precision precision) {
    CudaLibraries.load();
    return new CudaDevice(ordinal, precision);
  }

  /**
   * TF32 from Ampere on, else FP32; opens no device.
   *
   * @throws SecateurException in one line, if the driver, a library or the GPU is missing
   */
  public static Precision automatic(int ordinal) {
    CudaLibraries.load();
    return CudaContext.capability(ordinal) >= AMPERE ? Precision.TF32 : Precision.FP32;
  }

  /** What CUDA there is on this machine; opens no device. */
  public static DeviceReport report() {
    boolean loaded = false;
    try {
      CudaLibraries.load();
      loaded = true;
      int count = CudaContext.deviceCount();
      return new DeviceReport(
          count > 0, false, count + (count == 1 ? " GPU" : " GPUs"), CudaLibraries.report());
    } catch (SecateurException e) {
      return new DeviceReport(false, loaded, e.getMessage(), CudaLibraries.report());
    }
  }

  /** What cuDNN's descriptions of tensors take. */
  @Override
  public long mostElements() {
    return Integer.MAX_VALUE;
  }

  @Override
  public String name() {
    return "cuda:" + context.ordinal();
  }

  @Override
  public String description() {
    context.enter();
    return context.description();
  }

  @Override
  public Map<String, String> versions() {
    context.enter();
    Map<String, String> out = new LinkedHashMap<>();
    out.put("CUDA driver", CudaContext.driverVersion());
    out.put("cuDNN", Cudnn.version());
    out.put("cuBLAS", matrices.version());
    out.put("cuSolver", CudaEigen.version());
    return out;
  }

  @Override
  public void fellBack(String what) {
    fallbacks.add(what);
  }

  @Override
  public Map<String, Integer> fallbacks() {
    return fallbacks.counts();
  }

  @Override
  public Contract contract() {
    return contract;
  }

  @Override
  public Optional<MixedPrecision> mixedPrecision() {
    return precision == Precision.FP32 ? Optional.empty() : Optional.of(mixed);
  }

  @Override
  public Arena newArena() {
    requireOpen();
    CudaArena a = new CudaArena(context, arenas::remove);
    arenas.add(a);
    return a;
  }

  @Override
  public HostBuffer hostBuffer(long bytes) {
    requireOpen();
    CudaHostBuffer b = new CudaHostBuffer(context, bytes, hostBuffers::remove);
    hostBuffers.add(b);
    return b;
  }

  @Override
  public void upload(HostBuffer src, Tensor dst) {
    Contract.upload(src, dst);
    if (!(src instanceof CudaHostBuffer own)) {
      throw new IllegalArgumentException("staging memory of another device");
    }
    own.upload(dst);
  }

  @Override
  public void upload(float[] src, Tensor dst) {
    contract.upload(src.length, dst);
    copies.upload(src, dst);
  }

  @Override
  public void upload(int[] src, Tensor dst) {
    Contract.uploadIntegers(src.length, dst);
    copies.upload(src, dst);
  }

  @Override
  public float[] downloadFloats(Tensor src) {
    contract.download(src);
    return copies.floats(src);
  }

  @Override
  public double[] downloadDoubles(Tensor src) {
    contract.download(src);
    return copies.doubles(src);
  }

  @Override
  public void synchronize() {
    context.synchronize();
  }

  @Override
  public Kernel sequence(List<Kernel> kernels, Arena arena) {
    return graphs.sequence(kernels, arena);
  }

  @Override
  public double time(Runnable work) {
    return timer.milliseconds(work);
  }

  @Override
  public KernelTimes timeEach(Kernel ahead, List<Kernel> kernels) {
    return timer.each(ahead, kernels);
  }

  @Override
  public long takeScratchBytes() {
    return workspace.takeMostNeeded();
  }

  /** By NVML, for the GPU with this one's PCI address. */
  @Override
  public EnergyMeter openEnergyMeter() {
    return Nvml.open(LibraryLocator.system(), context.pciBusId());
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

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the device is closed");
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      arenas.forEach(a -> closers.add(a::close));
      hostBuffers.forEach(b -> closers.add(b::close));
      closers.add(context::synchronize);
      closers.close();
    }
  }
}
