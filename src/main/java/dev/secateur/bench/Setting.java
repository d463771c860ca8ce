package dev.secateur.bench;

import dev.secateur.device.Device;

/**
 * Where our networks run and what they compute in.
 *
 * @param math fp32, tf32, fp16 or bf16
 */
public record Setting(Device device, String math) {}
