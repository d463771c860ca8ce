// NVML: one GPU, whose energy counter says 1 J more at each call.
#include <cstring>

#include "emu.h"

namespace {

enum { OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6 };

int uses = 0;
int gpu;
#ifndef WITHOUT_ENERGY
unsigned long long millijoules = 5000000000ull;  // more than 32 bits hold
#endif

int device(void* handle, const void* out) {
  if (uses == 0) return UNINITIALIZED;
  if (handle != &gpu || out == nullptr) {
    emu::say("not the handle of a device, or nowhere to write");
    return INVALID_ARGUMENT;
  }
  return OK;
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
  EMU_API(nvmlInit, NOT_SUPPORTED);
  if (uses++ == 0) emu::born(&gpu, "nvml");
  return OK;
}

int nvmlShutdown() {
  EMU_API(nvmlShutdown, NOT_SUPPORTED);
  if (uses == 0) return UNINITIALIZED;
  if (--uses == 0) emu::dies(&gpu, "nvml");
  return OK;
}

const char* nvmlErrorString(int status) {
  return status == NOT_SUPPORTED ? "Not Supported" : status == NOT_FOUND ? "Not Found" : "Other";
}

int nvmlDeviceGetHandleByPciBusId_v2(const char* id, void** handle) {
  EMU_API(nvmlDeviceGetHandleByPciBusId, NOT_SUPPORTED);
  if (uses == 0) return UNINITIALIZED;
  if (strcmp(id, "0000:5E:00.0") != 0) return NOT_FOUND;
  *handle = &gpu;
  return OK;
}

#ifndef WITHOUT_ENERGY  // as in drivers before Volta
int nvmlDeviceGetTotalEnergyConsumption(void* handle, unsigned long long* out) {
  EMU_API(nvmlDeviceGetTotalEnergyConsumption, NOT_SUPPORTED);
  if (emuCall.unsupported()) return NOT_SUPPORTED;
  if (int status = device(handle, out); status != OK) return status;
  *out = millijoules += 1000;
  return OK;
}
#endif

int nvmlDeviceGetPowerUsage(void* handle, unsigned* out) {
  EMU_API(nvmlDeviceGetPowerUsage, NOT_SUPPORTED);
  if (int status = device(handle, out); status != OK) return status;
  *out = 250000;
  return OK;
}
}
