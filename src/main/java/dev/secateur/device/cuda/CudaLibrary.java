package dev.secateur.device.cuda;

import java.util.List;

/**
 * A library that the CUDA device needs.
 *
 * @param name in words
 * @param soname as JCuda's natives are linked to it
 * @param others sonames of other major versions, which do not serve
 * @param companions libraries that are loaded before it where they are found: beside it, or else
 *     anywhere
 * @param successors CUDA 13's libraries that the bridge to it needs, in the order in which they are
 *     loaded; the last is the one that it leads to; empty where there is no bridge
 * @param advice how to get it
 */
record CudaLibrary(
    String name,
    String soname,
    List<String> others,
    List<String> companions,
    List<String> successors,
    String advice) {

  static final String DRIVER = "libcuda.so.1";
  static final String CUDNN = "libcudnn.so.9";

  private static final List<String> SOLVER_13 =
      List.of(
          "libnvJitLink.so.13",
          "libcublasLt.so.13",
          "libcublas.so.13",
          "libcusparse.so.12",
          "libcusolver.so.12");

  /** In the order in which they are loaded. */
  static final List<CudaLibrary> ALL =
      List.of(
          new CudaLibrary(
              "NVIDIA driver",
              DRIVER,
              List.of(),
              List.of(),
              List.of(),
              "install NVIDIA's driver (Debian: apt install nvidia-driver)"),
          new CudaLibrary(
              "cuBLAS",
              "libcublas.so.12",
              List.of("libcublas.so.13", "libcublas.so.11"),
              List.of("libcublasLt.so.12"),
              List.of("libcublasLt.so.13", "libcublas.so.13"),
              "pip install nvidia-cublas-cu12"),
          new CudaLibrary(
              "cuSolver",
              "libcusolver.so.11",
              List.of("libcusolver.so.12"),
              List.of("libnvJitLink.so.12", "libcusparse.so.12"),
              SOLVER_13,
              "pip install nvidia-cusolver-cu12"),
          new CudaLibrary(
              "cuSolverMg",
              "libcusolverMg.so.11",
              List.of("libcusolverMg.so.12"),
              List.of(),
              SOLVER_13, // the bridge's is empty: none of it is called
              "pip install nvidia-cusolver-cu12"),
          new CudaLibrary(
              "cuDNN",
              CUDNN,
              List.of("libcudnn.so.8"),
              List.of(
                  "libcudnn_graph.so.9",
                  "libcudnn_ops.so.9",
                  "libcudnn_cnn.so.9",
                  "libcudnn_heuristic.so.9",
                  "libcudnn_engines_runtime_compiled.so.9",
                  "libcudnn_engines_precompiled.so.9",
                  "libcudnn_adv.so.9"),
              List.of(),
              "pip install nvidia-cudnn-cu12 (CUDA 13: nvidia-cudnn-cu13)"));
}
