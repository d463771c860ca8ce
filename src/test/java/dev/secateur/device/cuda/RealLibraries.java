package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import com.sun.jna.NativeLibrary;
import com.sun.jna.ptr.PointerByReference;
import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.DeviceReport;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.util.Cleanup;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import jcuda.jcublas.JCublas2;
import jcuda.jcudnn.cudnnActivationDescriptor;
import jcuda.jcudnn.cudnnBackendAttributeName;
import jcuda.jcudnn.cudnnBackendDescriptorType;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * What NVIDIA's real libraries say without a GPU, in lines, after they were loaded as ever. A
 * program, because a process loads each library once.
 */
final class RealLibraries {
  private static final int NCHW = 0;
  private static final int NHWC = 1;
  private static final int FLOAT = 0;
  private static final int HALF = 2;
  private static final int BFLOAT16 = 9;

  private RealLibraries() {}

  public static void main(String[] args) {
    DeviceReport report = CudaDevice.report();
    System.out.println("device: " + report.summary());
    report.libraries().forEach((name, where) -> System.out.println(name + ": " + where));
    if (args.length > 0) {
      System.out.println("NVRTC compiles: " + compiles(Path.of(args[0])));
    }
    if (args.length > 1) {
      versions();
      descriptors();
      graphs();
    }
  }

  /**
   * What {@link ConvolutionGraph} describes, as operations and as a graph of no handle: in each
   * type, layout and function, with groups, and padded on one side; and one whose result has
   * another size.
   */
  private static void graphs() {
    int told = 0;
    int refused = 0;
    ConvolutionSpec lopsided = new ConvolutionSpec(2, 1, 1, 0, 0, 1, 1, 1, 4);
    for (DType type : new DType[] {DType.F32, DType.F16, DType.BF16}) {
      for (Layout layout : new Layout[] {Layout.PLAIN, Layout.CHANNELS_LAST}) {
        for (Optional<ElementwiseSpec> function : functions()) {
          for (Activation activation : Activation.values()) {
            for (int added = 0; added < 4; added++) {
              ConvolutionGraph.Problem p =
                  new ConvolutionGraph.Problem(
                      new Cudnn.Memory(Shape.of(2, 16, 8, 8), type, layout),
                      new Cudnn.Memory(Shape.of(24, 4, 3, 2), type, layout),
                      new Cudnn.Memory(Shape.of(2, 24, 4, 8), type, layout),
                      lopsided,
                      added % 2 == 1,
                      added / 2 == 1,
                      activation,
                      function,
                      added == 0);
              String why = p.fuses() ? taken(p) : "";
              if (!why.isEmpty()) {
                System.out.println(p + ": " + why);
              }
              refused += why.isEmpty() ? 0 : 1;
              told += p.fuses() ? 1 : 0;
            }
          }
        }
      }
    }
    System.out.println("graphs: " + told + ", refused: " + refused);
    Cudnn.Memory x = new Cudnn.Memory(Shape.of(2, 16, 8, 8), DType.F16, Layout.CHANNELS_LAST);
    Cudnn.Memory w = x.shaped(Shape.of(16, 16, 3, 3));
    ConvolutionGraph.Problem wrong =
        new ConvolutionGraph.Problem(
            x,
            w,
            x,
            ConvolutionSpec.of(1, 0),
            true,
            false,
            Activation.RELU,
            Optional.empty(),
            true);
    System.out.println("a graph of another size: " + taken(wrong));
  }

  private static List<Optional<ElementwiseSpec>> functions() {
    List<Optional<ElementwiseSpec>> out = new ArrayList<>(List.of(Optional.empty()));
    for (ElementwiseSpec.Kind kind : ElementwiseSpec.Kind.values()) {
      out.add(Optional.of(new ElementwiseSpec(kind, 0, 4)));
    }
    return out;
  }

  /** Empty, or why it is refused. */
  private static String taken(ConvolutionGraph.Problem p) {
    try (Cleanup closers = new Cleanup()) {
      ConvolutionGraph g = new ConvolutionGraph(p, closers);
      BackendDescriptor.make(
              cudnnBackendDescriptorType.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, closers)
          .descriptors(cudnnBackendAttributeName.CUDNN_ATTR_OPERATIONGRAPH_OPS, g.operations())
          .finish();
      return "";
    } catch (BackendDescriptor.Refused e) {
      return e.getMessage();
    }
  }

  private static void versions() {
    System.out.println("cuDNN version: " + Cudnn.version());
    System.out.println("cuSolver version: " + CudaEigen.version());
    int[] v = new int[3];
    for (int i = 0; i < 3; i++) {
      int[] one = new int[1];
      JCublas2.cublasGetProperty(i, one);
      v[i] = one[0];
    }
    System.out.println("cuBLAS version: " + v[0] + "." + v[1] + "." + v[2]);
    for (int status : new int[] {1001, 2000, 3000, 4000, 5000}) {
      System.out.println("status " + status + ": " + cudnnGetErrorString(status));
    }
  }

  /** nvrtcCompileProgram's status, 0 if all went well. */
  private static int compiles(Path file) {
    NativeLibrary nvrtc = NativeLibrary.getInstance(file.toString());
    PointerByReference program = new PointerByReference();
    int made =
        nvrtc
            .getFunction("nvrtcCreateProgram")
            .invokeInt(
                new Object[] {
                  program,
                  "__global__ void k(float* x) { x[threadIdx.x] += 1; }",
                  "k.cu",
                  0,
                  null,
                  null
                });
    return made != 0
        ? made
        : nvrtc
            .getFunction("nvrtcCompileProgram")
            .invokeInt(new Object[] {program.getValue(), 0, null});
  }

  /** Descriptions need no GPU: types, layouts, odd widths, groups, sizes of outputs. */
  private static void descriptors() {
    cudnnTensorDescriptor x = new cudnnTensorDescriptor();
    cudnnFilterDescriptor w = new cudnnFilterDescriptor();
    cudnnConvolutionDescriptor c = new cudnnConvolutionDescriptor();
    cudnnActivationDescriptor a = new cudnnActivationDescriptor();
    int bad = cudnnCreateTensorDescriptor(x) + cudnnCreateFilterDescriptor(w);
    bad += cudnnCreateConvolutionDescriptor(c) + cudnnCreateActivationDescriptor(a);
    int told = 0;
    for (int type : new int[] {FLOAT, HALF, BFLOAT16}) {
      for (int format : new int[] {NCHW, NHWC}) {
        for (int channels : new int[] {1, 3, 13, 64}) {
          for (int groups : new int[] {1, channels}) {
            for (int math = 0; math < 4; math++) {
              for (int stride = 1; stride <= 2; stride++) {
                bad += cudnnSetTensor4dDescriptor(x, format, type, 5, channels, 9, 7);
                bad +=
                    cudnnSetFilter4dDescriptor(
                        w, type, format, 2 * channels, channels / groups, 3, 3);
                bad += cudnnSetConvolution2dDescriptor(c, 1, 1, stride, stride, 1, 1, 1, FLOAT);
                bad += cudnnSetConvolutionGroupCount(c, groups);
                bad += cudnnSetConvolutionMathType(c, math);
                int[] n = new int[1];
                int[] k = new int[1];
                int[] h = new int[1];
                int[] width = new int[1];
                bad += cudnnGetConvolution2dForwardOutputDim(c, x, w, n, k, h, width);
                boolean right =
                    n[0] == 5
                        && k[0] == 2 * channels
                        && h[0] == (9 - 1) / stride + 1
                        && width[0] == (7 - 1) / stride + 1;
                bad += right ? 0 : 1;
                told++;
              }
            }
          }
        }
      }
    }
    for (int mode : new int[] {1, 5}) {
      for (int nan = 0; nan < 2; nan++) {
        bad += cudnnSetActivationDescriptor(a, mode, nan, 0);
      }
    }
    System.out.println("descriptions: " + told + ", refused or wrong: " + bad);
    System.out.println(
        "2^31 - 1 elements: " + cudnnSetTensor4dDescriptor(x, NCHW, HALF, 1, 1, 1, 2147483647));
    System.out.println(
        "2^31 elements: " + cudnnSetTensor4dDescriptor(x, NCHW, HALF, 2, 1, 32768, 32768));
  }
}
