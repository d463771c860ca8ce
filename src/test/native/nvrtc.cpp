// Stands in for NVRTC, which looks for its built-in code by name in the system's folders alone.
#include <dlfcn.h>

extern "C" int nvrtcCompileProgram(void*, int, const char* const*) {
  constexpr int kBuiltinOperationFailure = 7;
  return dlopen("libnvrtc-builtins.so.12.6", RTLD_NOW) ? 0 : kBuiltinOperationFailure;
}
