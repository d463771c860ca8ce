package dev.secateur;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** scripts/utf8-locale.sh: with any locale, Java can name files with letters beyond ASCII. */
class LocaleTest {
  private static final Path SCRIPT = Path.of("scripts", "utf8-locale.sh");

  /** What a shell prints in an environment of a PATH and these variables. */
  private static String bash(String script, String... variables)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("env", "-i", "PATH=" + System.getenv("PATH")));
    command.addAll(List.of(variables));
    command.addAll(List.of("bash", "-euo", "pipefail", "-c", script));
    Process p = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, p.waitFor(), out);
    return out.strip();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "A=none",
        "LANG=C",
        "LC_ALL=C",
        "LC_ALL=POSIX",
        "LC_CTYPE=C",
        "LANG=xx_YY.UTF-8",
        "LC_ALL=xx_YY",
        "LC_MESSAGES=xx_YY",
        "LANG=C.UTF-8"
      })
  void aLocaleOfAsciiOnlyGivesWayToUtf8(String variable) throws Exception {
    assumeTrue(bash("locale -a").contains("utf8"), "no locale in UTF-8: skipped");
    assertEquals("UTF-8", bash("source " + SCRIPT + "; locale charmap", variable));
    // as Java sees it
    Path java = Path.of(System.getProperty("java.home"), "bin", "java");
    String settings =
        bash(
            "source " + SCRIPT + "; " + java + " -XshowSettings:properties -version 2>&1",
            variable);
    assertTrue(settings.contains("sun.jnu.encoding = UTF-8"), settings);
    assertTrue(settings.contains("user.language = en"), settings);
  }

  @Test
  void whatIsNotAboutLettersStays() throws Exception {
    assumeTrue(bash("locale -a").contains("utf8"), "no locale in UTF-8: skipped");
    String shown =
        bash("source " + SCRIPT + "; echo ${LC_ALL-unset} $LC_NUMERIC $LC_MESSAGES", "LC_ALL=C");
    assertEquals("unset C C", shown);
    assertEquals("C.UTF-8", bash("source " + SCRIPT + "; echo $LC_ALL", "LC_ALL=C.UTF-8"));
  }

  @Test
  void bothLaunchersTakeIt() throws IOException {
    assertTrue(Files.readString(Path.of("scripts", "secateur")).contains("utf8-locale.sh"));
    String bundle = Files.readString(Path.of("scripts", "gpu-bundle"));
    assertTrue(bundle.contains("\n@utf8-locale@\n"), "its place in the launcher");
    assertTrue(bundle.contains("'utf8-locale.sh'"), "what is put there");
  }
}
