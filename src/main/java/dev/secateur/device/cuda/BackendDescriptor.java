package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import com.sun.jna.Memory;
import dev.secateur.util.Cleanup;
import java.lang.ref.Reference;
import java.util.List;
import jcuda.Pointer;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnBackendAttributeName;
import jcuda.jcudnn.cudnnBackendAttributeType;
import jcuda.jcudnn.cudnnBackendDescriptor;
import jcuda.jcudnn.cudnnBackendDescriptorType;

/**
 * A descriptor of cuDNN's graph API: made, given its attributes, finalised, and from then on only
 * asked. Attributes are numbers of {@link cudnnBackendAttributeName}. All methods throw {@link
 * Refused} where cuDNN does not take it.
 */
final class BackendDescriptor extends cudnnBackendDescriptor {
  private final int type;

  private BackendDescriptor(int type) {
    this.type = type;
  }

  /** That cuDNN does not take a description; its message says what and where. */
  static final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int status;

    Refused(int status, String where) {
      super(status == 0 ? where : JCudnn.cudnnGetErrorString(status) + " at " + where);
      this.status = status;
    }

    /** cuDNN's; 0 where it is we who do not want it. */
    int status() {
      return status;
    }
  }

  /**
   * @param type of {@link cudnnBackendDescriptorType}
   * @param closers destroy it
   */
  static BackendDescriptor make(int type, Cleanup closers) {
    BackendDescriptor d = new BackendDescriptor(type);
    d.check(cudnnBackendCreateDescriptor(type, d), "making");
    closers.add(
        () ->
            Status.cudnn(
                cudnnBackendDestroyDescriptor(d),
                "freeing a description (cudnnBackendDestroyDescriptor)"));
    return d;
  }

  private void check(int status, String doing) {
    if (status != 0) {
      throw new Refused(status, doing + " " + cudnnBackendDescriptorType.stringFor(type));
    }
  }

  /** The host's memory by its address, the only pointers that JCuda passes in these calls. */
  private static final class HostPointer extends Pointer {
    HostPointer(Memory memory) {
      super(com.sun.jna.Pointer.nativeValue(memory));
    }
  }

  private static Memory memory(long[] values) {
    Memory out = new Memory(Long.BYTES * (long) values.length);
    out.write(0, values, 0, values.length);
    return out;
  }

  private BackendDescriptor set(int attribute, int kind, long count, Memory values) {
    int status = cudnnBackendSetAttribute(this, attribute, kind, count, new HostPointer(values));
    Reference.reachabilityFence(values);
    if (status != 0) {
      throw new Refused(status, cudnnBackendAttributeName.stringFor(attribute));
    }
    return this;
  }

  private BackendDescriptor set(int attribute, int kind, long... values) {
    return set(attribute, kind, values.length, memory(values));
  }

  BackendDescriptor numbers(int attribute, long... values) {
    return set(attribute, cudnnBackendAttributeType.CUDNN_TYPE_INT64, values);
  }

  BackendDescriptor real(int attribute, double value) {
    Memory one = new Memory(Double.BYTES);
    one.setDouble(0, value);
    return set(attribute, cudnnBackendAttributeType.CUDNN_TYPE_DOUBLE, 1, one);
  }

  BackendDescriptor flag(int attribute, boolean value) {
    Memory one = new Memory(1);
    one.setByte(0, (byte) (value ? 1 : 0));
    return set(attribute, cudnnBackendAttributeType.CUDNN_TYPE_BOOLEAN, 1, one);
  }

  /**
   * @param kind of {@link cudnnBackendAttributeType}, of an enumeration
   */
  BackendDescriptor choose(int attribute, int kind, int value) {
    Memory one = new Memory(Integer.BYTES);
    one.setInt(0, value);
    return set(attribute, kind, 1, one);
  }

  /** To a data type of {@link jcuda.jcudnn.cudnnDataType}. */
  BackendDescriptor type(int attribute, int value) {
    return choose(attribute, cudnnBackendAttributeType.CUDNN_TYPE_DATA_TYPE, value);
  }

  BackendDescriptor descriptor(int attribute, BackendDescriptor value) {
    return descriptors(attribute, List.of(value));
  }

  BackendDescriptor descriptors(int attribute, List<BackendDescriptor> values) {
    return set(
        attribute, cudnnBackendAttributeType.CUDNN_TYPE_BACKEND_DESCRIPTOR, addresses(values));
  }

  BackendDescriptor handle(int attribute, long address) {
    return set(attribute, cudnnBackendAttributeType.CUDNN_TYPE_HANDLE, new long[] {address});
  }

  BackendDescriptor addresses(int attribute, long... values) {
    return set(attribute, cudnnBackendAttributeType.CUDNN_TYPE_VOID_PTR, values);
  }

  private static long[] addresses(List<BackendDescriptor> all) {
    return all.stream().mapToLong(BackendDescriptor::getNativePointer).toArray();
  }

  /** From now on it is only asked. */
  BackendDescriptor finish() {
    check(cudnnBackendFinalize(this), "finalising");
    return this;
  }

  /**
   * @return how many values there are in {@code into}
   */
  private int get(int attribute, int kind, int most, Memory into) {
    long[] count = new long[1];
    int status =
        cudnnBackendGetAttribute(this, attribute, kind, most, count, new HostPointer(into));
    Reference.reachabilityFence(into);
    if (status != 0) {
      throw new Refused(status, "asking " + cudnnBackendAttributeName.stringFor(attribute));
    }
    return Math.toIntExact(Math.min(count[0], most));
  }

  long number(int attribute) {
    Memory one = new Memory(Long.BYTES);
    get(attribute, cudnnBackendAttributeType.CUDNN_TYPE_INT64, 1, one);
    return one.getLong(0);
  }

  /**
   * Values of an enumeration.
   *
   * @param most so many are asked for
   */
  int[] choices(int attribute, int kind, int most) {
    Memory all = new Memory(Integer.BYTES * (long) most);
    int[] out = new int[get(attribute, kind, most, all)];
    all.read(0, out, 0, out.length);
    return out;
  }

  /**
   * Has descriptors filled that were made for it.
   *
   * @return how many were
   */
  int fill(int attribute, List<BackendDescriptor> into) {
    return get(
        attribute,
        cudnnBackendAttributeType.CUDNN_TYPE_BACKEND_DESCRIPTOR,
        into.size(),
        memory(addresses(into)));
  }
}
