/* Every kernel of the *.inc files for each type of activations; the name says which. */
#include "common.h"
#include "vision.h"

#define T float
#define KERNEL(name) extern "C" __global__ void secateur_##name
#include "layers.inc"
#include "mixed.inc"
#include "norm.inc"
#include "vision.inc"
#undef T
#undef KERNEL

#define T F16
#define KERNEL(name) extern "C" __global__ void secateur_##name##_f16
#include "layers.inc"
#include "mixed.inc"
#include "norm.inc"
#include "vision.inc"
#undef T
#undef KERNEL

#define T BF16
#define KERNEL(name) extern "C" __global__ void secateur_##name##_bf16
#include "layers.inc"
#include "mixed.inc"
#include "norm.inc"
#include "vision.inc"
#undef T
#undef KERNEL
