package dev.secateur.device.cuda;

import jcuda.driver.CUdeviceptr;

/** A device address that Java can read, for blocks of kernel arguments. */
final class DevicePointer extends CUdeviceptr {
  /** To be filled by an allocation. */
  DevicePointer() {}

  DevicePointer(DevicePointer base, long byteOffset) {
    super(base, byteOffset);
  }

  long address() {
    return getNativePointer() + getByteOffset();
  }
}
