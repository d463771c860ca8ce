package dev.secateur.device.cuda;

import dev.secateur.device.Precision;

/** What convolutions are made with. */
record ConvolutionTools(
    CudaContext context,
    Cudnn cudnn,
    CudaWorkspace workspace,
    CudaPointwise pointwise,
    CudaMoves moves,
    Precision precision,
    ConvolutionAlgorithms algorithms) {}
