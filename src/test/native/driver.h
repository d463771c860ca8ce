// What the core of the emulation and the driver API share.
#pragma once
#include "emu.h"

namespace emu {

struct Allocation {
  void* base;
  size_t bytes;
  uint64_t id;
  bool released;  // freed by cuMemFreeAsync, still there for work enqueued earlier
  bool pooled;    // of cuMemAllocAsync
};

/// Memory that the pool of cuMemAllocAsync holds beyond what is in use serves that call alone.
bool allocate(size_t bytes, bool pooled, void** out);
/// Each synchronisation gives back what the pool holds beyond its threshold.
void synchronised();
/// Gives back what the pool holds beyond what is in use and so many bytes.
void trimPool(size_t keep);
struct Pool {
  size_t threshold = 0;
  size_t used = 0;
  size_t reserved = 0;
};
Pool& pool();
Allocation* find(const void* p);
void physicallyFree(const void* p);
bool allocatePinned(size_t bytes, void** out);
bool freePinned(void* p);

void* currentContextHandle();
void setCurrentContext(void* context);

void addStream(Stream* stream);
void removeStream(Stream* stream);
void drainUntil(Stream* stream, uint64_t ticket);
void drainBlocking();
void endCapture(Graph* graph);

const char* deviceName();
size_t totalMemory();
size_t usedMemory();

}  // namespace emu
