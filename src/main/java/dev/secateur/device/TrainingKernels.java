package dev.secateur.device;

/** Forward and backward of one operation that share hidden state (a mask, saved statistics). */
public record TrainingKernels(Kernel forward, Kernel backward) {}
