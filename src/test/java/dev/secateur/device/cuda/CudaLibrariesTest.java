package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.jna.NativeLibrary;
import dev.secateur.SecateurException;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Learning;
import dev.secateur.nn.Network;
import dev.secateur.nn.TrainingProgram;
import dev.secateur.tensor.Tensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What libraries need of each other is there, and what they say of failures is passed on. */
class CudaLibrariesTest {
  @BeforeEach
  void emulated() {
    assumeTrue(TestCuda.emulated());
    TestCuda.open().close();
    EmulatedCuda.reset();
  }

  @AfterEach
  void reset() {
    if (TestCuda.emulated()) {
      EmulatedCuda.reset();
    }
  }

  /** NVRTC asks for its built-in code by name, without a path: loaded libraries serve. */
  @Test
  void theCompilerOfKernelsFindsItsBuiltInCode() {
    Path nvrtc = EmulatedCuda.directory().resolve("lib/libnvrtc.so.12");
    int status =
        NativeLibrary.getInstance(nvrtc.toString())
            .getFunction("nvrtcCompileProgram")
            .invokeInt(new Object[] {null, 0, null});
    assertEquals(0, status);
  }

  @Test
  void theReportNamesTheCompilerAndTheMajorVersions() {
    Map<String, String> report = CudaLibraries.report();
    assertTrue(report.get("NVRTC").endsWith("libnvrtc.so.12 with libnvrtc-builtins.so.12.6"));
    assertEquals("cuDNN and cuBLAS are both of CUDA 12", report.get("majors"));
  }

  @Test
  void cudnnsOwnWordsAreInTheMessage() {
    EmulatedCuda.fail("cudnnCreate", 1);
    SecateurException e = assertThrows(SecateurException.class, TestCuda::open);
    assertTrue(e.getMessage().contains("(cudnnCreate): CUDNN_STATUS"), e.getMessage());
    assertTrue(e.getMessage().contains("(cudnnCreate: injected failure)"), e.getMessage());
  }

  @Test
  void eigenvectorsThatDoNotConvergeAreAFailure() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      Tensor m = a.doubles(3, 3);
      Tensor w = a.doubles(3);
      d.moves().fill(m, 1).launch();
      d.matrices().eigenSymmetric(m, w).launch();
      EmulatedCuda.fail("convergence of cusolverDnDsyevd", 1);
      SecateurException e =
          assertThrows(SecateurException.class, () -> d.matrices().eigenSymmetric(m, w).launch());
      assertTrue(e.getMessage().contains("did not converge (info 3)"), e.getMessage());
    }
  }

  /** cuDNN describes tensors of at most 2^31 - 1 elements; nothing is allocated before. */
  @Test
  void aBatchThatIsTooLargeNamesTheLargestThatWorks() {
    try (Device d = TestCuda.open();
        Network net = new Network(d, Architectures.create("resnet8", 4, 1, 64, 1))) {
      long image = 16 * 64 * 64;
      int most = (int) (Integer.MAX_VALUE / image);
      long before = EmulatedCuda.count("cuMemAllocAsync");
      for (Runnable compile :
          List.<Runnable>of(
              () -> InferenceProgram.compile(net, most + 1, Optional.empty()),
              () ->
                  TrainingProgram.compile(net, most + 1, Learning.sgd(0, false, 0, false, 0), 0))) {
        SecateurException e = assertThrows(SecateurException.class, compile::run);
        assertTrue(e.getMessage().endsWith("the largest batch that works is " + most));
        assertEquals(before, EmulatedCuda.count("cuMemAllocAsync"));
      }
    }
  }
}
