// The threads of a block, as fibers. cuda_shim.h calls these from inside kernels.
#pragma once

struct emu_uint3 {
  unsigned x, y, z;
};

#define EMU_HIDDEN __attribute__((visibility("hidden")))

EMU_HIDDEN extern emu_uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace emu {
EMU_HIDDEN extern void* dynamicShared;

/// The number of the running thread in its block.
EMU_HIDDEN unsigned lane();
/// Waits for all threads of the block that have not returned.
EMU_HIDDEN void blockBarrier();
/// Waits for all threads of the warp that have not returned.
EMU_HIDDEN void warpBarrier();
/// 32 slots of 8 bytes through which a warp exchanges values.
EMU_HIDDEN void* warpSlots();
/// Bit per lane of the warp that has not returned.
EMU_HIDDEN unsigned warpActive();
}  // namespace emu
