package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.cuLaunchKernel;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;
import jcuda.Pointer;
import jcuda.driver.CUfunction;

/** One launch of one of our kernels: its grid and its block of arguments, made beforehand. */
final class Launch {
  private static final int THREADS = 256;
  private static final int SLOT = 8;

  private static final Pointer NONE = new Pointer();

  private Launch() {}

  /** Groups of 16 bytes, a thread's share, that so many elements make. */
  static long packs(long elements, DType type) {
    int several = 16 / type.bytes();
    return (elements + several - 1) / several;
  }

  /** Takes the arguments in the order of the kernel's parameters. */
  static final class Builder {
    private final CudaContext context;
    private final CudaWorkspace workspace;
    private final CUfunction function;
    private final ByteBuffer block =
        ByteBuffer.allocateDirect(24 * SLOT).order(ByteOrder.nativeOrder());
    private final List<Tensor> tensors = new ArrayList<>();
    private final List<Late> late = new ArrayList<>();
    private int arguments;

    /** An address that is known at the launch only. */
    private record Late(int slot, LongSupplier address) {}

    Builder(CudaContext context, CudaWorkspace workspace, CUfunction function) {
      this.context = context;
      this.workspace = workspace;
      this.function = function;
    }

    Builder arg(Tensor t) {
      tensors.add(t);
      block.putLong(next(), CudaBuffer.pointer(t).address());
      return this;
    }

    /** Null where empty. */
    Builder arg(Optional<Tensor> t) {
      return t.isPresent() ? arg(t.get()) : arg(0L);
    }

    /** Scratch memory that was reserved. */
    Builder workspace(long offset) {
      late.add(new Late(next(), () -> workspace.pointer().address() + offset));
      return this;
    }

    Builder arg(long v) {
      block.putLong(next(), v);
      return this;
    }

    Builder arg(int v) {
      block.putInt(next(), v);
      return this;
    }

    Builder arg(boolean v) {
      return arg(v ? 1 : 0);
    }

    Builder arg(float v) {
      block.putFloat(next(), v);
      return this;
    }

    Builder arg(double v) {
      block.putDouble(next(), v);
      return this;
    }

    private int next() {
      return SLOT * arguments++;
    }

    /** One thread per element, striding where there are more than fill the GPU. */
    Kernel over(long elements) {
      long blocks = (elements + THREADS - 1) / THREADS;
      return grid(Math.min(blocks, 32L * context.processors()), THREADS);
    }

    /** One thread per 16 bytes of a tensor. */
    Kernel over(Tensor t) {
      return over(packs(t.elements(), t.dtype()));
    }

    /** One block per row of so many elements. */
    Kernel rows(long rows, long elements) {
      int threads = 32;
      while (threads < 256 && threads * 4L <= elements) {
        threads *= 2;
      }
      return grid(Math.min(rows, 65535), threads);
    }

    /** So many blocks of 256 threads. */
    Kernel blocks(long count) {
      return grid(count, THREADS);
    }

    /** A single block. */
    Kernel one() {
      return grid(1, THREADS);
    }

    private Kernel grid(long blocks, int threads) {
      Pointer[] slots = new Pointer[arguments];
      for (int i = 0; i < slots.length; i++) {
        slots[i] = Pointer.to(block).withByteOffset((long) SLOT * i);
      }
      Pointer parameters = Pointer.to(slots);
      int count = Math.toIntExact(blocks);
      Late[] addresses = late.toArray(new Late[0]);
      return context.kernel(
          tensors,
          () -> {
            for (Late l : addresses) {
              block.putLong(l.slot(), l.address().getAsLong());
            }
            Status.driver(
                cuLaunchKernel(
                    function, count, 1, 1, threads, 1, 1, 0, context.stream(), parameters, NONE),
                "launching a kernel (cuLaunchKernel)");
          });
    }
  }
}
