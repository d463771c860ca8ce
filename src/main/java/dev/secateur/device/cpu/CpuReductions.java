package dev.secateur.device.cpu;

import static org.bytedeco.openblas.global.openblas.*;

import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.Reductions;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.Arrays;
import org.bytedeco.javacpp.FloatPointer;

/** Sums and maxima over positions, channels innermost. */
final class CpuReductions implements Reductions {
  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  /** The product of the transposed rows with ones, by OpenBLAS. */
  @Override
  public Kernel compileBiasBackward(Tensor dy, Tensor db) {
    int c = dy.shape().size(1);
    int rows = Math.toIntExact(dy.elements() / c);
    float[] units = new float[rows];
    Arrays.fill(units, 1f);
    FloatPointer ones = new FloatPointer(units);
    FloatPointer in = CpuBuffer.floats(dy);
    FloatPointer out = CpuBuffer.floats(db);
    CpuBuffer from = (CpuBuffer) dy.buffer();
    CpuBuffer to = (CpuBuffer) db.buffer();
    return () -> {
      from.requireOpen();
      to.requireOpen();
      cblas_sgemv(CblasRowMajor, CblasTrans, rows, c, 1f, in, c, ones, 1, 0f, out, 1);
    };
  }

  @Override
  public Kernel compileChannelProducts(Tensor a, Tensor b, Tensor y) {
    return new CpuChannelProducts(a, b, y);
  }

  @Override
  public Kernel compilePoolFeatures(
      PoolSpec.Kind kind, Tensor x, long count, Tensor features, long column) {
    int n = x.shape().size(0);
    int channels = (int) count;
    int p = features.shape().size(1);
    boolean max = kind == PoolSpec.Kind.MAX;
    CpuReduction reduction = new CpuReduction(x, max);
    FloatBuffer out = CpuViews.floats(features);
    int first = (int) column;
    float factor = max ? 1f : 1f / CpuViews.pixels(x);
    CpuParallel.Body body =
        (i, slot) -> {
          float[] v = reduction.image(i, slot);
          if (!max) {
            for (int c = 0; c < channels; c++) {
              v[c] *= factor;
            }
          }
          out.put(i * p + first, v, 0, channels);
        };
    long work = x.elements();
    return () -> CpuParallel.run(n, work, body);
  }
}
