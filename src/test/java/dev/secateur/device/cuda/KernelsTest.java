package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Activation;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.DType;
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
import java.util.regex.Matcher;
import java.util.regex.Pattern;
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

  @Test
  void kindsAreTheOrdinalsOfTheEnums() throws IOException {
    String kinds = Files.readString(Path.of("kernels", "kinds.h"));
    assertEquals(names("ACTIVATION_", Activation.values()), names(kinds, "Activation"));
    assertEquals(names("POOL_", PoolSpec.Kind.values()), names(kinds, "PoolSpec_Kind"));
    assertEquals(
        names("ELEMENTWISE_", ElementwiseSpec.Kind.values()), names(kinds, "ElementwiseSpec_Kind"));
    assertEquals(names("DTYPE_", DType.values()), names(kinds, "DType"));
  }

  private static List<String> names(String prefix, Enum<?>[] values) {
    return Stream.of(values).map(v -> prefix + v.name()).toList();
  }

  private static List<String> names(String header, String type) {
    Matcher m = Pattern.compile("enum " + type + " \\{([^}]*)}").matcher(header);
    assertTrue(m.find(), type);
    return List.of(m.group(1).strip().split(",\\s+"));
  }
}
