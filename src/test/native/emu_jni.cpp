// The controls of the emulation for dev.secateur.device.cuda.EmulatedCuda.
#include <jni.h>

#include <string>

extern "C" {
int secateurEmuLiveObjects(char* text, int size);
long secateurEmuCount(const char* name);
void secateurEmuReset();
void secateurEmuFail(const char* api, long nth, int forGood);
int secateurEmuCounts(char* text, int size);
void secateurEmuName(const char* name);
void secateurEmuCapability(int capability);
void secateurEmuMemory(unsigned long long bytes);
int secateurEmuLastMessage(char* text, int size);

static std::string text(JNIEnv* env, jstring s) {
  const char* chars = env->GetStringUTFChars(s, nullptr);
  std::string copy = chars;
  env->ReleaseStringUTFChars(s, chars);
  return copy;
}

JNIEXPORT jstring JNICALL Java_dev_secateur_device_cuda_EmulatedCuda_live(JNIEnv* env, jclass) {
  std::string out(1 << 20, '\0');
  secateurEmuLiveObjects(&out[0], int(out.size()));
  return env->NewStringUTF(out.c_str());
}

JNIEXPORT jlong JNICALL Java_dev_secateur_device_cuda_EmulatedCuda_count(JNIEnv* env, jclass,
                                                                         jstring name) {
  return secateurEmuCount(text(env, name).c_str());
}

JNIEXPORT void JNICALL Java_dev_secateur_device_cuda_EmulatedCuda_reset(JNIEnv*, jclass) {
  secateurEmuReset();
}

JNIEXPORT void JNICALL Java_dev_secateur_device_cuda_EmulatedCuda_fail(JNIEnv* env, jclass,
                                                                       jstring api, jlong nth) {
  secateurEmuFail(text(env, api).c_str(), nth, 0);
}

JNIEXPORT void JNICALL Java_dev_secateur_device_cuda_EmulatedCuda_failForGood(JNIEnv* env, jclass,
                                                                              jstring api,
                                                                              jlong nth) {
  secateurEmuFail(text(env, api).c_str(), nth, 1);
}

JNIEXPORT jstring JNICALL Java_dev_secateur_device_cuda_EmulatedCuda_counts(JNIEnv* env, jclass) {
  std::string out(1 << 16, '\0');
  secateurEmuCounts(&out[0], int(out.size()));
  return env->NewStringUTF(out.c_str());
}

JNIEXPORT void JNICALL Java_dev_secateur_device_cuda_EmulatedCuda_memory(JNIEnv*, jclass,
                                                                         jlong bytes) {
  secateurEmuMemory(static_cast<unsigned long long>(bytes));
}

JNIEXPORT void JNICALL Java_dev_secateur_device_cuda_EmulatedCuda_name(JNIEnv* env, jclass,
                                                                       jstring name) {
  secateurEmuName(text(env, name).c_str());
}

JNIEXPORT void JNICALL Java_dev_secateur_device_cuda_EmulatedCuda_capability(JNIEnv*, jclass,
                                                                             jint capability) {
  secateurEmuCapability(capability);
}

JNIEXPORT jstring JNICALL Java_dev_secateur_device_cuda_EmulatedCuda_lastMessage(JNIEnv* env,
                                                                                 jclass) {
  char out[2048];
  secateurEmuLastMessage(out, sizeof out);
  return env->NewStringUTF(out);
}
}
