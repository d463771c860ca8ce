package dev.secateur.device;

/**
 * How long kernels took that were launched one after the other.
 *
 * @param milliseconds from the stamp before a kernel to the one behind it
 * @param gapless all of them were enqueued before the device came to the first, so no time holds a
 *     wait for the host. Always so where kernels run while they are launched
 */
public record KernelTimes(double[] milliseconds, boolean gapless) {}
