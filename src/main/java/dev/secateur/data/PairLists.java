package dev.secateur.data;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Pairs of image files, same or different, by a list of them. */
final class PairLists {
  private static final List<String> NAMES = List.of("different", "same");
  private static final List<String> SAME = List.of("same", "1");
  private static final List<String> DIFFERENT = List.of("different", "0");

  private final Path list;
  private final Path root;
  private final List<String> files = new ArrayList<>();
  private final List<Integer> labels = new ArrayList<>();

  /**
   * @param list the file that lists pairs
   * @param root where relative paths begin
   */
  private PairLists(Path list, Path root) {
    this.list = list;
    this.root = root;
  }

  /**
   * A line a pair: {@code path,path,same|different|1|0}, paths from the list's folder or absolute;
   * a first line that names neither a label nor image files is a header.
   *
   * @param spec its place is the list, for any split, or a folder with train.csv and test.csv
   * @throws SecateurException for a line that is not as expected, or an image that is not there
   */
  static Dataset csv(FolderSpec spec, Split split, Unreadable unreadable) throws IOException {
    Path list = spec.place();
    if (Files.isDirectory(list)) {
      list = list.resolve(split == Split.TRAIN ? "train.csv" : "test.csv");
    }
    PairLists pairs = new PairLists(list, list.toAbsolutePath().getParent());
    List<String> lines = pairs.lines();
    for (int i = 0; i < lines.size(); i++) {
      if (!lines.get(i).isBlank()) {
        pairs.addRow(lines.get(i).split(",", -1), i);
      }
    }
    return pairs.open(spec, unreadable);
  }

  private void addRow(String[] cells, int line) {
    if (cells.length != 3) {
      String expected = "path,path,same or path,path,different (or 1 and 0)";
      throw wrong(line, cells.length + (cells.length == 1 ? " value" : " values"), expected);
    }
    String first = cells[0].strip();
    String second = cells[1].strip();
    String label = cells[2].strip().toLowerCase(Locale.ROOT);
    boolean known = SAME.contains(label) || DIFFERENT.contains(label);
    if (!known && line == 0 && !there(first) && !there(second)) {
      return; // a header
    }
    if (!known) {
      throw wrong(line, "'" + cells[2].strip() + "'", "same, different, 1 or 0");
    }
    add(first, second, SAME.contains(label), line);
  }

  /**
   * As Labeled Faces in the Wild has them: a line with the number of folds (1 where it is left out)
   * and N; for each fold N lines {@code name i j}, then N lines {@code name i name j}. Image i of a
   * name is DIR/name/name_000i.jpg.
   *
   * @param spec its place is a folder with pairsDevTrain.txt and pairsDevTest.txt, each for a
   *     split, or pairs.txt for any
   * @throws SecateurException for a line that is not as expected, or an image that is not there
   */
  static Dataset lfw(FolderSpec spec, Split split, Unreadable unreadable) throws IOException {
    Path dir = spec.place();
    Path part = dir.resolve(split == Split.TRAIN ? "pairsDevTrain.txt" : "pairsDevTest.txt");
    Path list = Files.exists(part) ? part : dir.resolve("pairs.txt");
    if (!Files.exists(list)) {
      throw new NoSuchFileException(list + " (nor " + part.getFileName() + ")");
    }
    PairLists pairs = new PairLists(list, dir);
    List<String> lines = pairs.lines();
    while (!lines.isEmpty() && lines.get(lines.size() - 1).isBlank()) {
      lines.remove(lines.size() - 1);
    }
    String[] head = lines.isEmpty() ? new String[] {""} : lines.get(0).strip().split("\\s+");
    String expected = "the number of folds and of pairs of a kind in each, such as 10 300";
    if (head.length > 2) {
      throw pairs.wrong(0, head.length + " values", expected);
    }
    int folds = head.length < 2 ? 1 : pairs.number(head[0], 0, expected);
    int each = pairs.number(head[head.length - 1], 0, expected);
    long wanted = 2L * folds * each;
    if (lines.size() - 1 != wanted) {
      throw new SecateurException(
          list
              + ": "
              + (lines.size() - 1)
              + " lines behind the first; expected "
              + wanted
              + ", as line 1 is '"
              + lines.get(0).strip()
              + "'");
    }
    for (int i = 1; i < lines.size(); i++) {
      pairs.addPeople(lines.get(i).strip().split("\\s+"), (i - 1) / each % 2 == 0, i);
    }
    return pairs.open(spec, unreadable);
  }

  private void addPeople(String[] words, boolean same, int line) {
    String expected = same ? "name i j" : "name i name j";
    if (words.length != (same ? 3 : 4)) {
      throw wrong(line, words.length + (words.length == 1 ? " value" : " values"), expected);
    }
    String other = same ? words[0] : words[2];
    add(
        portrait(words[0], number(words[1], line, expected)),
        portrait(other, number(words[words.length - 1], line, expected)),
        same,
        line);
  }

  private static String portrait(String name, int number) {
    return name + "/" + name + String.format(Locale.ROOT, "_%04d.jpg", number);
  }

  private int number(String text, int line, String expected) {
    try {
      int n = Integer.parseInt(text);
      if (n > 0) {
        return n;
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw wrong(line, "'" + text + "'", expected);
  }

  private List<String> lines() throws IOException {
    try {
      String text = Files.readString(list);
      return new ArrayList<>(
          (text.startsWith("\ufeff") ? text.substring(1) : text).lines().toList());
    } catch (CharacterCodingException e) {
      throw new SecateurException(list + ": not a text file; expected a list of pairs", e);
    }
  }

  private void add(String first, String second, boolean same, int line) {
    for (String file : new String[] {first, second}) {
      if (!there(file)) {
        throw wrong(line, "'" + file + "'", "an image file at " + root);
      }
      files.add(file);
      labels.add(same ? 1 : 0);
    }
  }

  private boolean there(String file) {
    try {
      return Files.isRegularFile(root.resolve(file));
    } catch (InvalidPathException e) {
      return false;
    }
  }

  private SecateurException wrong(int line, String value, String expected) {
    return new SecateurException(
        list + ", line " + (line + 1) + ": " + value + "; expected " + expected);
  }

  private Dataset open(FolderSpec spec, Unreadable unreadable) {
    if (files.isEmpty()) {
      throw new SecateurException(list + ": has no pairs; expected a line for each");
    }
    return new ImageFiles(
        spec,
        new LooseFiles(root, files),
        "pairs " + list,
        NAMES,
        labels.stream().mapToInt(i -> i).toArray(),
        Labels.PAIRS,
        unreadable);
  }
}
