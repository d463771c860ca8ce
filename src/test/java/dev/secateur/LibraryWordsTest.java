package dev.secateur;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The library's messages say what, given and possible; the command line adds the option. */
class LibraryWordsTest {
  private static final Path MAIN = Path.of("src/main/java/dev/secateur");
  private static final Pattern OPTION = Pattern.compile("\"[^\"]*(^|[ (\"])--[a-z][^\"]*\"");

  @Test
  void noMessageOfTheLibraryNamesAnOption() throws IOException {
    List<String> found = new ArrayList<>();
    int files = 0;
    try (Stream<Path> all = Files.walk(MAIN)) {
      for (Path p : all.filter(f -> f.toString().endsWith(".java")).toList()) {
        String room = MAIN.relativize(p).getName(0).toString();
        // the report shows the commands that made it, and has style sheets
        if (!room.equals("cli") && !room.equals("report")) {
          files++;
          for (String line : Files.readAllLines(p)) {
            if (OPTION.matcher(line).find()) {
              found.add(p + ": " + line.strip());
            }
          }
        }
      }
    }
    assertTrue(files > 200, "all of the library was read: " + files);
    assertEquals(List.of(), found);
  }
}
