/**
 * The processor: {@code Dnnl*} by oneDNN, {@code Blas*} by OpenBLAS, {@code Cpu*} in Java. A class
 * that implements an interface of {@link dev.secateur.device} holds all of one kind; the others are
 * single kernels or what they share. Activations are F32, N, H, W, C; weights lie as they do in
 * files.
 *
 * <p>Loops in Java copy pieces of tensors into heap arrays that stay in the cache, because only
 * there does the compiler emit vector instructions; {@link dev.secateur.device.cpu.CpuBuffer}'s
 * memory is native. Launching allocates nothing.
 *
 * <p>Alone may import org.bytedeco. Begin with {@link dev.secateur.device.cpu.CpuDevice}.
 */
package dev.secateur.device.cpu;
