/**
 * NVIDIA GPUs: {@code Cudnn*} by cuDNN, {@code Cublas*} by cuBLAS, {@code Cuda*} by the driver,
 * cuSolver or our own kernels, which are CUDA C in the folder {@code kernels} and PTX in the jar
 * ({@link dev.secateur.device.cuda.CudaKernels}). A class that implements an interface of {@link
 * dev.secateur.device} holds all of one kind. Scratch memory is one piece for all kernels ({@link
 * dev.secateur.device.cuda.CudaWorkspace}); everything runs on one stream ({@link
 * dev.secateur.device.cuda.CudaContext}) and, at a second launch, as a graph.
 *
 * <p>Alone may import jcuda and JNA, and never the runtime API. Begin with {@link
 * dev.secateur.device.cuda.CudaDevice}, and with {@link dev.secateur.device.cuda.Launch} for
 * kernels of our own. The tests run it on emulated libraries (src/test/native), or on a GPU with
 * mvn -Pgpu.
 */
package dev.secateur.device.cuda;
