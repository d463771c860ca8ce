package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The committed PTX is that of the committed sources, and old drivers take it. */
class KernelsTest {
  private static String ptx() throws IOException {
    try (InputStream in = KernelsTest.class.getResourceAsStream("/dev/secateur/kernels.ptx")) {
      return new String(in.readAllBytes(), StandardCharsets.US_ASCII);
    }
  }

  @Test
  void thePtxIsUpToDate() throws IOException, GeneralSecurityException {
    List<Path> sources = new ArrayList<>();
    for (String ending : List.of(".cu", ".h", ".inc")) {
      try (Stream<Path> s = Files.list(Path.of("kernels"))) {
        s.filter(f -> f.toString().endsWith(ending)).sorted().forEach(sources::add);
      }
    }
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    for (Path source : sources) {
      digest.update(Files.readAllBytes(source));
    }
    String expected = "// sha256 " + HexFormat.of().formatHex(digest.digest());
    assertEquals(
        expected, ptx().lines().findFirst().orElse(""), "stale: run scripts/build-kernels");
  }

  @Test
  void thePtxIsForTuringAndDriversOfItsTime() throws IOException {
    List<String> lines = ptx().lines().toList();
    assertTrue(lines.contains(".version 6.3"), "version");
    assertTrue(lines.contains(".target sm_75"), "target");
  }
}
