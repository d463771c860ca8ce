package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.GZIPOutputStream;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** NVIDIA's own compiler of PTX, which JCuda carries, takes our kernels: no GPU is needed. */
class PtxCompilerTest {

  private record Compiled(int status, String words, String errors, byte[] code) {
    static Compiled of(byte[] ptx, String arch) {
      JNvPTXCompiler.setExceptionsEnabled(false);
      nvPTXCompilerHandle compiler = new nvPTXCompilerHandle();
      byte[] terminated = Arrays.copyOf(ptx, ptx.length + 1);
      assertEquals(0, JNvPTXCompiler.nvPTXCompilerCreate(compiler, terminated.length, terminated));
      try {
        String[] options = {"--gpu-name=" + arch, "--verbose"};
        int status = JNvPTXCompiler.nvPTXCompilerCompile(compiler, options.length, options);
        long[] size = new long[1];
        JNvPTXCompiler.nvPTXCompilerGetInfoLogSize(compiler, size);
        byte[] info = new byte[(int) size[0] + 1];
        JNvPTXCompiler.nvPTXCompilerGetInfoLog(compiler, info);
        JNvPTXCompiler.nvPTXCompilerGetErrorLogSize(compiler, size);
        byte[] errors = new byte[(int) size[0] + 1];
        JNvPTXCompiler.nvPTXCompilerGetErrorLog(compiler, errors);
        JNvPTXCompiler.nvPTXCompilerGetCompiledProgramSize(compiler, size);
        byte[] code = new byte[status == 0 ? (int) size[0] : 0];
        if (status == 0) {
          JNvPTXCompiler.nvPTXCompilerGetCompiledProgram(compiler, code);
        }
        return new Compiled(status, text(info), text(errors), code);
      } finally {
        JNvPTXCompiler.nvPTXCompilerDestroy(compiler);
      }
    }

    private static String text(byte[] log) {
      return new String(log, StandardCharsets.UTF_8).replace("\0", "");
    }
  }

  private static byte[] kernels() throws IOException {
    try (InputStream in = PtxCompilerTest.class.getResourceAsStream("/dev/secateur/kernels.ptx")) {
      return in.readAllBytes();
    }
  }

  /**
   * For a T4, an A100 and an H100; no kernel keeps variables in memory for want of registers. What
   * they become is what the program has for these GPUs; {@code -Dsecateur.cubins=write} writes it.
   */
  @ParameterizedTest
  @ValueSource(ints = {75, 80, 90})
  void kernelsCompileToTheCodeThatIsShipped(int capability) throws IOException {
    String arch = "sm_" + capability;
    byte[] ptx = kernels();
    Compiled c = Compiled.of(ptx, arch);
    if (System.getProperty("secateur.cubins") != null) {
      Path file = Path.of("src/main/resources" + KernelCode.resource(capability));
      try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
        out.write(c.code());
      }
    } else {
      assertArrayEquals(KernelCode.of(capability).orElseThrow(), c.code(), "scripts/build-kernels");
    }
    assertEquals(0, c.status(), c.errors());
    Matcher spills = Pattern.compile("(\\d+) bytes spill stores").matcher(c.words());
    int kernels = 0;
    while (spills.find()) {
      kernels++;
      assertEquals("0", spills.group(1), arch);
    }
    long entries =
        new String(ptx, StandardCharsets.US_ASCII)
            .lines()
            .filter(l -> l.contains(".entry"))
            .count();
    assertTrue(kernels >= entries, "told of each kernel, and of functions that are called");
  }

  @Test
  void whatIsNoPtxDoesNotCompile() {
    byte[] wrong =
        ".version 6.3\n.target sm_75\n.address_size 64\n.visible .entry k() { nonsense; }\n"
            .getBytes(StandardCharsets.US_ASCII);
    Compiled c = Compiled.of(wrong, "sm_75");
    assertTrue(c.status() != 0 && c.errors().contains("nonsense"), List.of(c).toString());
  }
}
