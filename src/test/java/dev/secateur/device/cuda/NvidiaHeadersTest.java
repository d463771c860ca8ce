package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcudnn.JCudnn;
import jcuda.jcusolver.JCusolver;
import jcuda.jcusolver.JCusolverDn;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What this package calls through JCuda is as NVIDIA's headers have it, of CUDA 12 and of CUDA 13:
 * in the form that org.bytedeco:cuda was generated from them, whose sources Maven puts into
 * target/nvidia-headers.
 */
class NvidiaHeadersTest {
  private static final List<Class<?>> APIS =
      List.of(JCudaDriver.class, JCublas2.class, JCudnn.class, JCusolver.class, JCusolverDn.class);

  /** Functions and constants that our sources name. */
  private static Set<String> named(String pattern) throws IOException {
    Set<String> out = new TreeSet<>();
    Path sources = Path.of("src/main/java/dev/secateur/device/cuda");
    try (Stream<Path> files = Files.list(sources)) {
      for (Path f : files.filter(p -> p.toString().endsWith(".java")).toList()) {
        String code = Files.readString(f).replaceAll("(?s)/\\*.*?\\*/|//[^\n]*|\"[^\"\n]*\"", "");
        Matcher m = Pattern.compile(pattern).matcher(code);
        while (m.find()) {
          out.add(m.group(1));
        }
      }
    }
    return out;
  }

  /** Headers of a release: texts of the functions, and of structures by their names. */
  private record Headers(String functions, Map<String, String> structures) {
    static Headers of(String release) throws IOException {
      Path folder = Path.of("target/nvidia-headers");
      assertTrue(Files.isDirectory(folder), folder + " is missing: mvn generate-test-resources");
      Path jar;
      try (Stream<Path> files = Files.list(folder)) {
        jar =
            files
                .filter(f -> f.getFileName().toString().startsWith("cuda-" + release))
                .findFirst()
                .orElseThrow();
      }
      StringBuilder functions = new StringBuilder();
      Map<String, String> structures = new HashMap<>();
      try (ZipFile zip = new ZipFile(jar.toFile())) {
        for (ZipEntry e : zip.stream().toList()) {
          String name = e.getName();
          if (name.matches(".*/global/(cudart|cublas|cudnn|cusolver)\\.java")) {
            functions.append(text(zip, e));
          } else if (name.matches(".*AlgoPerf_t\\.java")) {
            structures.put(name.replaceAll(".*/|\\.java", ""), text(zip, e));
          }
        }
      }
      return new Headers(functions.toString(), structures);
    }

    private static String text(ZipFile zip, ZipEntry e) throws IOException {
      return new String(zip.getInputStream(e).readAllBytes(), StandardCharsets.UTF_8)
          .replaceAll("(?s)/\\*.*?\\*/", "");
    }

    /** Kinds of its parameters: I, L, F, D, or P for all that is an address; "" if absent. */
    String parameters(String function) {
      for (String name : List.of(function + "_v2", function)) {
        Matcher m =
            Pattern.compile("public static native [^;(]*(?:\\([^)]*\\)[^;(]*)?\\b" + name + "\\(")
                .matcher(functions);
        if (m.find()) {
          int end = functions.indexOf(";", m.end());
          String list = functions.substring(m.end(), end).replaceAll("@\\w+(\\([^)]*\\))?", "");
          StringBuilder out = new StringBuilder();
          for (String p : list.replaceAll("\\)\\s*$", "").split(",")) {
            String type = p.strip().replaceAll("\\s+\\S+$", "");
            if (!type.isEmpty()) {
              out.append(kind(type));
            }
          }
          return out.toString();
        }
      }
      return "";
    }

    Map<String, Long> constants() {
      Map<String, Long> out = new HashMap<>();
      Matcher m =
          Pattern.compile("\\b([A-Z][A-Z0-9]*_\\w+)\\s*=\\s*(0x[0-9A-Fa-f]+|-?\\d+)\\s*[,;]")
              .matcher(functions);
      while (m.find()) {
        out.putIfAbsent(m.group(1), Long.decode(m.group(2)));
      }
      return out;
    }

    /** Members in their order, with their kinds. */
    List<String> members(String structure) {
      List<String> out = new ArrayList<>();
      Matcher m =
          Pattern.compile("public native (?:@Cast\\(\"\\w+\"\\) )?(\\w+) (\\w+)\\((?:int i)?\\);")
              .matcher(structures.get(structure));
      while (m.find()) {
        out.add(m.group(2) + " " + kind(m.group(1)));
      }
      return out;
    }
  }

  private static char kind(String type) {
    return switch (type) {
      case "int" -> 'I';
      case "long" -> 'L';
      case "float" -> 'F';
      case "double" -> 'D';
      default -> 'P';
    };
  }

  /** The same of JCuda's types, as a pattern: objects that stand for numbers are also filled in. */
  private static String passed(String type) {
    return switch (type) {
      case "CUdevice" -> "[IP]";
      case "CUdeviceptr" -> "[LP]";
      default -> String.valueOf(kind(type));
    };
  }

  /** A pattern for each of its overloads. */
  private static Set<String> jcuda(String function) {
    Set<String> out = new TreeSet<>();
    for (Class<?> api : APIS) {
      for (Method m : api.getMethods()) {
        if (m.getName().equals(function)) {
          StringBuilder kinds = new StringBuilder();
          Stream.of(m.getParameterTypes()).forEach(t -> kinds.append(passed(t.getSimpleName())));
          out.add(kinds.toString());
        }
      }
    }
    return out;
  }

  @ParameterizedTest
  @ValueSource(strings = {"12.6", "13.3"})
  void functionsHaveTheParametersThatJcudaPasses(String release) throws IOException {
    Headers headers = Headers.of(release);
    Set<String> functions = named("\\b((?:cu[A-Z]|cudnn[A-Z]|cublas[A-Z]|cusolver[A-Z])\\w+)\\(");
    List<String> wrong = new ArrayList<>();
    int compared = 0;
    for (String f : functions) {
      Set<String> ours = jcuda(f);
      if (ours.isEmpty()) {
        continue; // of this package
      }
      compared++;
      String theirs = headers.parameters(f.replace("_new", "")); // JCuda's for CUDA 11 on
      if (ours.stream().noneMatch(theirs::matches)) {
        wrong.add(f + ": JCuda passes " + ours + ", the header has " + theirs);
      }
    }
    assertEquals(List.of(), wrong);
    assertTrue(compared >= 90, compared + " functions");
  }

  @ParameterizedTest
  @ValueSource(strings = {"12.6", "13.3"})
  void constantsHaveTheValuesThatJcudaKnows(String release)
      throws IOException, IllegalAccessException {
    Map<String, Long> theirs = Headers.of(release).constants();
    Map<String, Integer> ours = new HashMap<>();
    Set<String> classes = named("import (?:static )?(jcuda\\.[\\w.]+)(?:\\.\\*)?;");
    for (String name : classes) {
      Class<?> c = type(name);
      if (c == null || APIS.contains(c)) {
        continue; // those load the driver
      }
      for (Field f : c.getFields()) {
        boolean constant = Modifier.isStatic(f.getModifiers()) && f.getType() == int.class;
        if (constant && f.getName().matches("(CU|CUDA|CUDNN|CUBLAS|CUSOLVER)_\\w+")) {
          ours.put(f.getName(), f.getInt(null));
        }
      }
    }
    ours.keySet().removeIf(n -> n.endsWith("_TYPE_COUNT")); // grows with each release
    ours.putAll(declared());
    List<String> wrong = new ArrayList<>();
    int compared = 0;
    for (Map.Entry<String, Integer> e : ours.entrySet()) {
      Long value = theirs.get(e.getKey());
      if (value != null) {
        compared++;
        if (value.intValue() != e.getValue()) {
          wrong.add(e.getKey() + ": JCuda has " + e.getValue() + ", the header " + value);
        }
      }
    }
    assertEquals(List.of(), wrong);
    assertTrue(compared > 400, compared + " constants");
    Set<String> used = named("\\b((?:CU|CUDA|CUDNN|CUBLAS|CUSOLVER)_[A-Z]\\w+)\\b");
    used.retainAll(ours.keySet());
    used.removeAll(theirs.keySet());
    used.removeIf(n -> n.endsWith("_ALGO_COUNT"));
    assertEquals(Set.of(), used, "constants that we use and the header lacks");
  }

  /** Constants that JCuda lacks, so that we have them ourselves. */
  private static Map<String, Integer> declared() throws IOException {
    Map<String, Integer> out = new HashMap<>();
    for (String d : named("static final int (CUDNN_\\w+ = \\d+);")) {
      out.put(d.replaceAll(" .*", ""), Integer.parseInt(d.replaceAll(".* ", "")));
    }
    return out;
  }

  private static Class<?> type(String name) {
    try {
      return Class.forName(name, false, NvidiaHeadersTest.class.getClassLoader());
    } catch (ClassNotFoundException e) {
      int dot = name.lastIndexOf('.');
      return Character.isLowerCase(name.charAt(dot + 1)) && dot > "jcuda.driver".length()
          ? type(name.substring(0, dot)) // a static import
          : null;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"12.6", "13.3"})
  void structuresHaveTheMembersThatJcudaReads(String release) throws IOException {
    Headers headers = Headers.of(release);
    for (String pass : List.of("Fwd", "BwdData", "BwdFilter")) {
      List<String> theirs = headers.members("cudnnConvolution" + pass + "AlgoPerf_t");
      List<String> ours = new ArrayList<>();
      Class<?> c = type("jcuda.jcudnn.cudnnConvolution" + pass + "AlgoPerf");
      for (Field f : c.getDeclaredFields()) {
        if (!Modifier.isStatic(f.getModifiers()) && Modifier.isPublic(f.getModifiers())) {
          ours.add(f.getName() + " " + kind(f.getType().getSimpleName()));
        }
      }
      theirs.removeIf(m -> m.startsWith("reserved"));
      ours.removeIf(m -> m.startsWith("reserved"));
      assertFalse(theirs.isEmpty());
      assertEquals(theirs, ours, pass);
    }
  }

  @Test
  void aWrongListOfParametersWouldBeSeen() throws IOException {
    Headers headers = Headers.of("12.6");
    assertEquals("PPPPPPPIPLPPPPPPPP", headers.parameters("cudnnConvolutionBiasActivationForward"));
    assertEquals("PIIIIIPPIPIPPI", headers.parameters("cublasSgemm"));
    assertEquals("PIILP", headers.parameters("cudnnBackendSetAttribute"));
    assertEquals("", headers.parameters("cudnnNoSuchFunction"));
    assertEquals(Map.of("CUDNN_HEUR_MODE_A", 3, "CUDNN_HEUR_MODE_FALLBACK", 2), declared());
  }
}
