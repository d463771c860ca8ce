package dev.secateur.device;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Consumer;

/**
 * A few small computations with known results, one for each library behind a device, so that a
 * mixture of libraries which does not work together is told from one that does. All values are
 * small whole numbers, exact in every type but for the results of bfloat16.
 */
public final class SelfTest {
  private static final Map<String, BiFunction<Device, Arena, String>> CHECKS = checks();

  private SelfTest() {}

  /**
   * What one computation came to.
   *
   * @param name of the computation
   * @param problem empty if the result is right
   * @param milliseconds on the host, compilation of the kernel included
   */
  public record Check(String name, String problem, double milliseconds) {
    public boolean passed() {
      return problem.isEmpty();
    }
  }

  /**
   * Runs all of them; one that fails does not keep the others from running.
   *
   * @param before is told each one's name before it begins: a library may end the process
   */
  public static List<Check> run(Device device, Consumer<String> before) {
    List<Check> out = new ArrayList<>();
    CHECKS.forEach(
        (name, check) -> {
          before.accept(name);
          long start = System.nanoTime();
          String problem;
          try (Arena arena = device.newArena()) {
            problem = check.apply(device, arena);
          } catch (RuntimeException | LinkageError e) {
            problem = String.valueOf(e.getMessage() == null ? e : e.getMessage());
          }
          out.add(new Check(name, problem, (System.nanoTime() - start) / 1e6));
        });
    return List.copyOf(out);
  }

  private static Map<String, BiFunction<Device, Arena, String>> checks() {
    Map<String, BiFunction<Device, Arena, String>> out = new LinkedHashMap<>();
    out.put("copies", SelfTest::copies);
    out.put("kernel of our own", SelfTest::kernel);
    out.put("matrix product", SelfTest::matrixProduct);
    out.put("eigenvalues", SelfTest::eigenvalues);
    out.put("convolution", SelfTest::convolution);
    out.put("timer", SelfTest::timer);
    return out;
  }

  private static String copies(Device d, Arena a) {
    Tensor x = a.floats(1000);
    float[] values = whole(1000);
    d.upload(values, x);
    return compare(widened(values), d.downloadDoubles(x));
  }

  private static String kernel(Device d, Arena a) {
    Tensor x = a.floats(4, 3);
    Tensor y = a.floats(2, 3);
    Tensor rows = a.allocate(Shape.of(2), DType.I32, Layout.PLAIN);
    d.upload(new float[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, x);
    d.upload(new int[] {1, 3}, rows);
    d.moves().gather(x, 0, rows, y).launch();
    return compare(new double[] {3, 4, 5, 9, 10, 11}, d.downloadDoubles(y));
  }

  private static String matrixProduct(Device d, Arena a) {
    Tensor x = a.floats(2, 3);
    Tensor y = a.floats(3, 2);
    Tensor z = a.floats(2, 2);
    d.upload(new float[] {1, 2, 3, 4, 5, 6}, x);
    d.upload(new float[] {7, 8, 9, 10, 11, 12}, y);
    d.matrices().gemm(false, false, 1, x, y, 0, z).launch();
    return compare(new double[] {58, 64, 139, 154}, d.downloadDoubles(z));
  }

  private static String eigenvalues(Device d, Arena a) {
    Tensor x = a.floats(2, 2);
    Tensor m = a.doubles(2, 2);
    Tensor values = a.doubles(2);
    d.upload(new float[] {2, 1, 1, 2}, x);
    d.moves().copy(x, m).launch();
    d.matrices().eigenSymmetric(m, values).launch();
    return compare(new double[] {1, 3}, d.downloadDoubles(values));
  }

  /** 16 channels to 8, 3 x 3, padded, stride 2, with bias and ReLU behind it. */
  private static String convolution(Device d, Arena a) {
    int n = 2;
    int c = 16;
    int k = 8;
    int size = 8;
    int half = size / 2;
    float[] x = whole(n * c * size * size);
    float[] w = whole(k * c * 9);
    float[] b = whole(k);
    double[] y = new double[n * k * half * half];
    for (int at = 0; at < y.length; at++) {
      int row = at / half % half;
      int column = at % half;
      int filter = at / (half * half) % k;
      double sum = b[filter];
      for (int i = 0; i < c * 9; i++) {
        int r = row * 2 - 1 + i / 3 % 3;
        int s = column * 2 - 1 + i % 3;
        if (r >= 0 && r < size && s >= 0 && s < size) {
          int image = at / (half * half * k);
          sum += x[((image * c + i / 9) * size + r) * size + s] * (double) w[filter * c * 9 + i];
        }
      }
      y[at] = Math.max(0, sum);
    }
    DType type = d.activationType();
    Tensor dx = a.allocate(Shape.of(n, c, size, size), type, d.activationLayout());
    Tensor dw = a.allocate(Shape.of(k, c, 3, 3), type, d.weightLayout());
    Tensor db = a.allocate(Shape.of(k), type, Layout.PLAIN);
    Tensor dy = a.allocate(Shape.of(n, k, half, half), type, d.activationLayout());
    d.upload(x, dx);
    d.upload(w, dw);
    d.upload(b, db);
    Epilogue epilogue = new Epilogue(Optional.of(db), Optional.empty(), Activation.RELU);
    d.convolutions().forward(ConvolutionSpec.of(2, 1), dx, dw, epilogue, dy, true).launch();
    return compare(y, d.downloadDoubles(dy), type == DType.BF16 ? 0x1p-8 : 1e-3);
  }

  private static String timer(Device d, Arena a) {
    Tensor x = a.floats(1 << 20);
    double ms = d.time(d.moves().fill(x, 1)::launch);
    return ms > 0 && ms < 10_000 ? "" : "filling 4 MiB took " + ms + " ms";
  }

  /** From -3 to 3. */
  private static float[] whole(int n) {
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = (i * 31 + i / 7) % 7 - 3;
    }
    return out;
  }

  private static double[] widened(float[] x) {
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = x[i];
    }
    return out;
  }

  private static String compare(double[] expected, double[] got) {
    return compare(expected, got, 1e-3);
  }

  /** What is wrong, or nothing. */
  private static String compare(double[] expected, double[] got, double tolerance) {
    int wrong = 0;
    String first = "";
    for (int i = 0; i < expected.length; i++) {
      boolean near =
          Math.abs(expected[i] - got[i]) <= tolerance * Math.max(1, Math.abs(expected[i]));
      if (!near) {
        first = wrong++ == 0 ? "element " + i + " is " + got[i] + ", not " + expected[i] : first;
      }
    }
    return wrong == 0 ? "" : wrong + " of " + got.length + " elements are wrong: " + first;
  }
}
