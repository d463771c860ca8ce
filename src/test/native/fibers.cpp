// Threads of a block run one after the other inside one fiber for as long as none waits at a
// barrier; a thread that waits keeps its fiber and the next thread begins in another. Kernels
// without barriers thus cost a plain loop.
#include "fibers.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "emu.h"

emu_uint3 threadIdx, blockIdx, blockDim, gridDim;

#if !defined(__x86_64__)
#error "the emulated CUDA libraries switch stacks by hand and know x86-64 only"
#endif
asm(R"(
.text
.type emu_switch,@function
.hidden emu_switch
.globl emu_switch
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emu_switch, .-emu_switch
)");
extern "C" EMU_HIDDEN void emu_switch(void** from, void* to);

namespace emu {

void* dynamicShared = nullptr;

namespace {

constexpr size_t kStack = 64 << 10;

struct Barrier {
  unsigned arrived = 0;
  unsigned live = 0;
  unsigned generation = 0;
};

struct Fiber {
  void* sp = nullptr;
  void* stack = nullptr;
  unsigned thread = 0;
  Barrier* at = nullptr;  // what it waits for
  unsigned generation = 0;
  bool busy = false;
};

struct Block {
  const HostKernel* kernel;
  void** args;
  unsigned threads;
  unsigned next;
  unsigned returned;
  Barrier all;
  std::vector<Barrier> warps;
  std::vector<unsigned> active;
  std::vector<uint64_t> slots;
};

Block block;
std::vector<Fiber*> fibers;
Fiber* running = nullptr;
unsigned thread = 0;
void* schedulerSp = nullptr;

void become(unsigned t) {
  thread = t;
  threadIdx.x = t % blockDim.x;
  threadIdx.y = t / blockDim.x % blockDim.y;
  threadIdx.z = t / (blockDim.x * blockDim.y);
}

void leave(Barrier& b) {
  b.live--;
  if (b.live > 0 && b.arrived == b.live) {
    b.arrived = 0;
    b.generation++;
  }
}

void fiberMain() {
  for (;;) {
    while (block.next < block.threads) {
      unsigned t = block.next++;
      running->thread = t;
      become(t);
      block.kernel->call(block.args);
      block.returned++;
      leave(block.all);
      block.active[t / 32] &= ~(1u << (t % 32));
      leave(block.warps[t / 32]);
    }
    running->busy = false;
    emu_switch(&running->sp, schedulerSp);
  }
}

Fiber* newFiber() {
  auto* f = new Fiber;
  f->stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (f->stack == MAP_FAILED) abort();
  auto* top = reinterpret_cast<void**>(static_cast<char*>(f->stack) + kStack);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&fiberMain);  // where the first switch returns to
  for (int i = 0; i < 6; i++) *--top = nullptr;
  f->sp = top;
  return f;
}

void resume(Fiber* f) {
  running = f;
  become(f->thread);
  emu_switch(&schedulerSp, f->sp);
  running = nullptr;
}

void wait(Barrier& b) {
  unsigned generation = b.generation;
  if (++b.arrived == b.live) {
    b.arrived = 0;
    b.generation++;
    return;
  }
  Fiber* self = running;
  self->at = &b;
  self->generation = generation;
  emu_switch(&self->sp, schedulerSp);
}

void runBlock() {
  while (block.returned < block.threads) {
    bool progress = false;
    for (size_t i = 0; i < fibers.size() && block.returned < block.threads; i++) {
      Fiber* f = fibers[i];
      if (f->busy ? f->at != nullptr && f->at->generation == f->generation
                  : block.next >= block.threads)
        continue;
      f->at = nullptr;
      f->busy = true;
      progress = true;
      resume(f);
    }
    if (block.returned < block.threads && !progress) {
      if (block.next >= block.threads) {
        say("deadlock: threads of a block wait at different barriers");
        abort();  // their stacks can't be unwound
      }
      fibers.push_back(newFiber());
    }
  }
}

}  // namespace

unsigned lane() { return thread; }
void blockBarrier() { wait(block.all); }
void warpBarrier() { wait(block.warps[thread / 32]); }
void* warpSlots() { return &block.slots[thread / 32 * 32]; }
unsigned warpActive() { return block.active[thread / 32]; }

void launch(const HostKernel& kernel, const unsigned grid[3], const unsigned threads[3],
            size_t shared, void** args) {
  static std::vector<uint64_t> sharedMemory;
  sharedMemory.resize(shared / 8 + 2);
  dynamicShared = sharedMemory.data();
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {threads[0], threads[1], threads[2]};
  block.kernel = &kernel;
  block.args = args;
  block.threads = threads[0] * threads[1] * threads[2];
  size_t warps = (block.threads + 31) / 32;
  block.slots.assign(warps * 32, 0);
  for (unsigned z = 0; z < grid[2]; z++)
    for (unsigned y = 0; y < grid[1]; y++)
      for (unsigned x = 0; x < grid[0]; x++) {
        blockIdx = {x, y, z};
        block.next = 0;
        block.returned = 0;
        block.all = Barrier{0, block.threads, 0};
        block.warps.assign(warps, Barrier{0, 32, 0});
        block.active.assign(warps, ~0u);
        if (block.threads % 32) {
          block.warps.back().live = block.threads % 32;
          block.active.back() = (1u << (block.threads % 32)) - 1;
        }
        garbage(dynamicShared, shared);
        runBlock();
      }
}

}  // namespace emu
