package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;
import static org.bytedeco.openblas.global.openblas.OPENBLAS_VERSION;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.dnnl.dnnl_version_t;

/** The processor and the libraries in words. */
final class CpuInfo {
  private CpuInfo() {}

  static String description() {
    return model() + ", " + Runtime.getRuntime().availableProcessors() + " cores, " + isa();
  }

  static Map<String, String> versions() {
    Map<String, String> v = new LinkedHashMap<>();
    dnnl_version_t d = dnnl_version();
    v.put("oneDNN", d.major() + "." + d.minor() + "." + d.patch());
    v.put("OpenBLAS", OPENBLAS_VERSION.replace("OpenBLAS", "").trim());
    return v;
  }

  private static String model() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(l -> l.startsWith("model name"))
          .map(l -> l.substring(l.indexOf(':') + 1).trim())
          .findFirst()
          .orElseGet(() -> System.getProperty("os.arch"));
    } catch (IOException e) {
      return System.getProperty("os.arch");
    }
  }

  /** Whether products of BF16 are faster than of F32. */
  static boolean multipliesBfloat() {
    int isa = dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
  }

  static String isa() {
    int isa = dnnl_get_effective_cpu_isa();
    Map<Integer, String> names = new LinkedHashMap<>();
    names.put(dnnl_cpu_isa_sse41, "SSE4.1");
    names.put(dnnl_cpu_isa_avx, "AVX");
    names.put(dnnl_cpu_isa_avx2, "AVX2");
    names.put(dnnl_cpu_isa_avx2_vnni, "AVX2 with VNNI");
    names.put(dnnl_cpu_isa_avx2_vnni_2, "AVX2 with VNNI");
    names.put(dnnl_cpu_isa_avx512_core, "AVX-512");
    names.put(dnnl_cpu_isa_avx512_core_vnni, "AVX-512 with VNNI");
    names.put(dnnl_cpu_isa_avx512_core_bf16, "AVX-512 with BF16");
    names.put(dnnl_cpu_isa_avx512_core_fp16, "AVX-512 with FP16");
    names.put(dnnl_cpu_isa_avx512_core_amx, "AVX-512 with AMX");
    names.put(dnnl_cpu_isa_avx512_core_amx_fp16, "AVX-512 with AMX");
    return names.getOrDefault(isa, "instruction set " + Integer.toHexString(isa));
  }
}
