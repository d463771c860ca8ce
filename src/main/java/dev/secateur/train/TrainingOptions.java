package dev.secateur.train;

import dev.secateur.nn.Sgd;

/** How a network is trained. {@code batch} images a step; a last incomplete batch is left out. */
public record TrainingOptions(
    int batch, Schedule schedule, Sgd sgd, Augmentation augmentation, long seed) {}
