package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUresult;

/**
 * Copies between Java arrays, always in PLAIN order, and tensors. Arrays go through a ring of
 * pinned pieces, so that an upload waits only when the ring is full.
 */
final class CudaCopies {
  private static final int PIECES = 4;
  private static final int PIECE = 1 << 20;
  private final CudaContext context;
  private final Piece[] ring = new Piece[PIECES];
  private final Cleanup closers = new Cleanup();
  private int turn;

  private record Piece(Pointer memory, ByteBuffer bytes, CUevent read) {}

  CudaCopies(CudaContext context) {
    this.context = context;
    try {
      for (int i = 0; i < PIECES; i++) {
        Pointer p = context.allocatePinned(PIECE);
        closers.add(() -> context.freePinned(p));
        CUevent read = context.event();
        closers.add(() -> context.destroy(read));
        ByteBuffer bytes = p.getByteBuffer(0, PIECE).order(ByteOrder.nativeOrder());
        ring[i] = new Piece(p, bytes, read);
      }
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  void upload(float[] src, Tensor dst) {
    float[] ordered = permuted(dst) ? toChannelsLast(src, dst.shape()) : src;
    DevicePointer p = CudaBuffer.pointer(dst);
    context.enter();
    int bytes = dst.dtype().bytes();
    int step = PIECE / bytes;
    for (int at = 0; at < src.length; at += step) {
      int n = Math.min(step, src.length - at);
      Piece piece = next();
      if (dst.dtype() == DType.F32) {
        piece.bytes().asFloatBuffer().put(0, ordered, at, n);
      } else {
        for (int i = 0; i < n; i++) {
          piece.bytes().putShort(i * bytes, Halves.narrow(ordered[at + i], dst.dtype()));
        }
      }
      send(piece, p, (long) at * bytes, (long) n * bytes);
    }
  }

  void upload(int[] src, Tensor dst) {
    DevicePointer p = CudaBuffer.pointer(dst);
    context.enter();
    int step = PIECE / Integer.BYTES;
    for (int at = 0; at < src.length; at += step) {
      int n = Math.min(step, src.length - at);
      Piece piece = next();
      piece.bytes().asIntBuffer().put(0, src, at, n);
      send(piece, p, (long) at * Integer.BYTES, (long) n * Integer.BYTES);
    }
  }

  private Piece next() {
    Piece piece = ring[turn++ % PIECES];
    int status = cuEventQuery(piece.read());
    if (status == CUresult.CUDA_ERROR_NOT_READY) {
      status = cuEventSynchronize(piece.read());
    }
    Status.driver(status, "waiting for an upload");
    return piece;
  }

  private void send(Piece piece, DevicePointer to, long offset, long bytes) {
    Status.driver(
        cuMemcpyHtoDAsync(new DevicePointer(to, offset), piece.memory(), bytes, context.stream()),
        "copying to the GPU (cuMemcpyHtoDAsync)");
    Status.driver(cuEventRecord(piece.read(), context.stream()), "marking a copy (cuEventRecord)");
  }

  float[] floats(Tensor src) {
    if (src.dtype() == DType.F64) {
      double[] d = doubles(src);
      float[] out = new float[d.length];
      for (int i = 0; i < out.length; i++) {
        out[i] = (float) d[i];
      }
      return out;
    }
    float[] out = new float[Math.toIntExact(src.elements())];
    if (Halves.sixteen(src)) {
      short[] bits = new short[out.length];
      download(src, Pointer.to(bits));
      for (int i = 0; i < out.length; i++) {
        out[i] = Halves.widen(bits[i], src.dtype());
      }
    } else {
      download(src, Pointer.to(out));
    }
    if (!permuted(src)) {
      return out;
    }
    float[] plain = new float[out.length];
    for (int i = 0; i < out.length; i++) {
      plain[i] = out[last(i, src.shape())];
    }
    return plain;
  }

  double[] doubles(Tensor src) {
    if (src.dtype() == DType.F32 || Halves.sixteen(src)) {
      float[] f = floats(src);
      double[] out = new double[f.length];
      for (int i = 0; i < f.length; i++) {
        out[i] = f[i];
      }
      return out;
    }
    double[] out = new double[Math.toIntExact(src.elements())];
    download(src, Pointer.to(out));
    if (!permuted(src)) {
      return out;
    }
    double[] plain = new double[out.length];
    for (int i = 0; i < out.length; i++) {
      plain[i] = out[last(i, src.shape())];
    }
    return plain;
  }

  private void download(Tensor src, Pointer to) {
    DevicePointer from = CudaBuffer.pointer(src);
    context.enter();
    Status.driver(cuStreamSynchronize(context.stream()), "waiting for the GPU");
    Status.driver(cuMemcpyDtoH(to, from, src.bytes()), "copying from the GPU (cuMemcpyDtoH)");
  }

  private static boolean permuted(Tensor t) {
    return t.layout() == Layout.CHANNELS_LAST;
  }

  /** Where element i in PLAIN order lies in the order N, H, W, C. */
  private static int last(int i, Shape s) {
    int area = s.size(2) * s.size(3);
    int channels = s.size(1);
    int image = i / (channels * area);
    int rest = i % (channels * area);
    return (image * area + rest % area) * channels + rest / area;
  }

  private static float[] toChannelsLast(float[] src, Shape s) {
    float[] out = new float[src.length];
    for (int i = 0; i < src.length; i++) {
      out[last(i, s)] = src[i];
    }
    return out;
  }

  void close() {
    closers.close();
  }
}
