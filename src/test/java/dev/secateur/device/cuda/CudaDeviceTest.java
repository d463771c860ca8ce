package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.Devices;
import dev.secateur.device.Epilogue;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.Kernel;
import dev.secateur.device.SelfTest;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the CUDA device promises beyond conformance, seen through the emulation's counters. */
class CudaDeviceTest {
  private static final String[] WAITS_AND_ALLOCATIONS = {
    "synchronisations", "cuMemAlloc", "cuMemAllocAsync", "cuMemHostAlloc", "cuMemFree"
  };

  private String before;

  @BeforeEach
  void emulated() {
    assumeTrue(TestCuda.emulated());
    TestCuda.open().close();
    EmulatedCuda.reset();
    before = EmulatedCuda.live();
  }

  @AfterEach
  void nothingIsLeft() {
    if (TestCuda.emulated()) {
      EmulatedCuda.reset();
      assertEquals(before, EmulatedCuda.live(), "leaks");
    }
  }

  @Test
  void closingTheDeviceFreesEverything() {
    Device d = TestCuda.open();
    Arena forgotten = d.newArena();
    Tensor x = forgotten.floats(2, 3, 8, 8);
    Tensor w = forgotten.floats(4, 3, 3, 3);
    Tensor y = forgotten.floats(2, 4, 8, 8);
    d.hostBuffer(100);
    d.convolutions().forward(ConvolutionSpec.of(1, 1), x, w, Epilogue.NONE, y, false).launch();
    d.matrices().eigenSymmetric(forgotten.doubles(4, 4), forgotten.doubles(4)).launch();
    d.close();
    d.close();
    assertEquals(before, EmulatedCuda.live());
    assertThrows(IllegalStateException.class, d::newArena);
  }

  @Test
  void timesThatHoldAWaitForTheHostAreMarked() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      Kernel k = d.moves().fill(a.floats(1000), 1);
      assertTrue(d.timeEach(k, List.of(k, k, k)).gapless());
      assertFalse(d.timeEach(k, List.of(k, d::synchronize, k)).gapless());
    }
  }

  @Test
  void scratchMemoryIsWhatTheHungriestNewKernelNeeds() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      d.matrices().eigenSymmetric(a.doubles(60, 60), a.doubles(60));
      long large = d.takeScratchBytes();
      assertTrue(large > 60 * 60 * 8, large + " bytes for 60 x 60");
      assertEquals(0, d.takeScratchBytes(), "nothing new");
      d.matrices().eigenSymmetric(a.doubles(8, 8), a.doubles(8));
      long small = d.takeScratchBytes();
      assertTrue(0 < small && small < large, small + ", though " + large + " are there");
    }
  }

  @Test
  void launchesNeitherWaitNorAllocate() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena();
        HostBuffer host = d.hostBuffer(2 * 3 * 8 * 8 * 4)) {
      Tensor x = a.floats(2, 3, 8, 8);
      Tensor w = a.floats(4, 3, 3, 3);
      Tensor y = a.floats(2, 4, 8, 8);
      Epilogue e =
          new Epilogue(
              Optional.of(a.floats(4)), Optional.of(a.floats(2, 4, 8, 8)), Activation.RELU);
      ConvolutionSpec lopsided = new ConvolutionSpec(1, 1, 0, 1, 2, 1, 1, 1, 1);
      Kernel[] kernels = {
        d.convolutions().forward(ConvolutionSpec.of(1, 1), x, w, e, y, true),
        d.convolutions().forward(lopsided, x, w, e, y, true),
        d.convolutions().backwardWeights(lopsided, x, y, w),
        d.pointwise().add(y, y, Activation.RELU6, y),
        d.moves().fill(x, 1)
      };
      Tensor lr = a.floats(1);
      d.synchronize();
      long[] counts = counts();
      for (int i = 0; i < 3; i++) {
        d.upload(host, x);
        d.upload(new float[] {0.1f}, lr);
        for (Kernel k : kernels) {
          k.launch();
        }
      }
      assertArrayEquals(counts, counts());
    }
  }

  private static long[] counts() {
    return Arrays.stream(WAITS_AND_ALLOCATIONS).mapToLong(EmulatedCuda::count).toArray();
  }

  @Test
  void tensorsOfAClosedArenaAreRefused() {
    try (Device d = TestCuda.open()) {
      Arena a = d.newArena();
      Tensor x = a.floats(3);
      Kernel k = d.moves().fill(x, 1);
      a.close();
      assertThrows(IllegalStateException.class, k::launch);
      assertThrows(IllegalStateException.class, () -> d.downloadFloats(x));
      assertThrows(IllegalStateException.class, () -> a.floats(3));
    }
  }

  @Test
  void anotherThreadMayDriveTheDevice() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      Tensor x = a.floats(3);
      float[] got =
          CompletableFuture.supplyAsync(
                  () -> {
                    d.moves().fill(x, 2).launch();
                    return d.downloadFloats(x);
                  })
              .join();
      assertArrayEquals(new float[] {2, 2, 2}, got);
    }
  }

  @Test
  void fullMemorySaysHowMuchAndWhatToDo() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      EmulatedCuda.memory(32 << 20);
      SecateurException e = assertThrows(SecateurException.class, () -> a.floats(100 << 20));
      assertTrue(e.getMessage().contains("419430400 bytes"), e.getMessage());
      assertTrue(e.getMessage().contains("use a smaller batch"), e.getMessage());
      assertTrue(e.getMessage().contains("CUDA_ERROR_OUT_OF_MEMORY"), e.getMessage());
      assertEquals(0, a.bytes());
    }
  }

  /** Memory that is freed and wanted again is not given back to the system between. */
  @Test
  void thePoolKeepsItsMemory() {
    long grown;
    try (Device d = TestCuda.open()) {
      grown = EmulatedCuda.count("poolGrowths");
      for (int i = 0; i < 5; i++) {
        try (Arena a = d.newArena()) {
          d.downloadFloats(a.floats(1 << 20));
        }
        d.synchronize();
      }
      assertEquals(grown + 1, EmulatedCuda.count("poolGrowths"));
      assertEquals(0, EmulatedCuda.count("poolReleases"));
    }
    assertEquals(1, EmulatedCuda.count("poolReleases"), "at the end others may have it");
  }

  @Test
  void whatThePoolKeepsServesOtherMemoryToo() {
    try (Device other = TestCuda.open(); // as other tests may have left some
        Arena held = other.newArena();
        Device d = TestCuda.open()) {
      held.floats(20 << 20);
      long[] free = new long[1];
      long[] total = new long[1];
      assertEquals(0, JCudaDriver.cuMemGetInfo(free, total));
      long memory = total[0] - free[0] + (64 << 20);
      EmulatedCuda.memory(memory);
      try (Arena a = d.newArena()) {
        a.floats(10 << 20);
      }
      d.synchronize();
      try (HostBuffer staging = d.hostBuffer(32 << 20);
          Arena a = d.newArena()) {
        d.upload(staging, a.floats(1 << 20));
        assertEquals(1, EmulatedCuda.count("poolReleases"));
        SecateurException e = assertThrows(SecateurException.class, () -> a.floats(100 << 20));
        assertTrue(e.getMessage().contains("of " + memory + " are free"), e.getMessage());
      }
    }
  }

  @Test
  void failuresCarryCudasName() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      Kernel k = d.pls().multiply(a.doubles(3), a.doubles(3), a.doubles(3));
      EmulatedCuda.fail("cuLaunchKernel", 1);
      SecateurException e = assertThrows(SecateurException.class, k::launch);
      assertTrue(e.getMessage().contains("CUDA_ERROR_"), e.getMessage());
      EmulatedCuda.reset();
    }
  }

  @Test
  void aDeviceThatFailsToOpenLeavesNothing() {
    EmulatedCuda.fail("cuModuleLoadData", 1);
    assertThrows(SecateurException.class, TestCuda::open);
  }

  /** A GPU whose kind there is code for is not kept waiting by the driver's compiler. */
  @ParameterizedTest
  @CsvSource({"75, 1", "80, 1", "86, 1", "89, 1", "90, 1", "100, 0", "120, 0"})
  void kernelsAreCodeWhereThereIsSomeForTheGpu(int capability, int code) {
    EmulatedCuda.reset();
    EmulatedCuda.capability(capability);
    try (Device d = TestCuda.open()) {
      assertEquals(code, EmulatedCuda.count("modules of code"));
      assertEquals(1, EmulatedCuda.count("cuModuleLoadData"));
    }
    EmulatedCuda.reset();
  }

  /** Orin, which runs no code but its own. */
  @Test
  void codeThatTheDriverDoesNotTakeIsReplacedByPtx() {
    EmulatedCuda.reset();
    EmulatedCuda.capability(87);
    try (Device d = TestCuda.open()) {
      assertEquals(0, EmulatedCuda.count("modules of code"));
      assertTrue(SelfTest.run(d, name -> {}).stream().allMatch(SelfTest.Check::passed));
    }
    EmulatedCuda.reset();
  }

  @Test
  void theSelfTestNamesTheLibraryThatFailsAndGoesOn() {
    try (Device d = TestCuda.open()) {
      EmulatedCuda.fail("cublasSgemm", 1);
      List<SelfTest.Check> checks = SelfTest.run(d, name -> {});
      assertEquals(
          List.of("matrix product"),
          checks.stream().filter(c -> !c.passed()).map(SelfTest.Check::name).toList());
      assertTrue(checks.size() > 4, checks.toString());
    }
  }

  @Test
  void thereIsNoSuchGpu() {
    SecateurException e = assertThrows(SecateurException.class, () -> Devices.open("cuda:7"));
    assertTrue(e.getMessage().startsWith("no device cuda:7"), e.getMessage());
  }

  @Test
  void autoTakesTheGpuUnlessForbidden() {
    String forbidden = System.getProperty("secateur.auto", "");
    try (Device d = Devices.open("auto")) {
      assertEquals("cpu", d.name());
    }
    System.setProperty("secateur.auto", "");
    try (Device d = Devices.open("auto")) {
      assertEquals("cuda:0", d.name());
    } finally {
      System.setProperty("secateur.auto", forbidden);
    }
  }

  /**
   * Each copy to the host waits for the device. Compiling reads how pixels are normalised, and no
   * weights; saving a bank of weights in one each, and all vectors in two.
   */
  @Test
  void compilingReadsNoWeightsAndSavingVectorsInTwoCopies() {
    assumeTrue(TestCuda.emulated());
    try (Device d = TestCuda.open();
        Network net = new Network(d, Architectures.create("resnet20", 10, 3, 32, 1))) {
      long weights = 19 + 1;
      long pixels = 2;
      EmulatedCuda.reset();
      InferenceProgram.compile(net, 2, Optional.empty()).close();
      assertEquals(pixels, EmulatedCuda.count("cuMemcpyDtoH"));
      EmulatedCuda.reset();
      Model saved = net.toModel();
      assertEquals(weights + 2 + pixels, EmulatedCuda.count("cuMemcpyDtoH"));
      saved
          .parameters()
          .forEach((name, t) -> assertArrayEquals(d.downloadFloats(net.parameter(name)), t.data()));
    }
  }
}
