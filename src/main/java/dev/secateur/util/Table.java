package dev.secateur.util;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** Rows of text under headers, for a terminal or as Markdown. */
public final class Table {
  private final List<String> headers;
  private final List<List<String>> rows = new ArrayList<>();

  public Table(String... headers) {
    this(List.of(headers));
  }

  public Table(List<String> headers) {
    this.headers = List.copyOf(headers);
  }

  /** Adds a row, a cell a header. */
  public Table row(Object... cells) {
    return row(Arrays.stream(cells).map(String::valueOf).toList());
  }

  /** Adds a row, a cell a header. */
  public Table row(List<String> cells) {
    if (cells.size() != headers.size()) {
      throw new IllegalArgumentException(
          "row of " + cells.size() + " cells under " + headers.size() + " headers");
    }
    rows.add(List.copyOf(cells));
    return this;
  }

  /** Aligned: what is a number in all rows to the right, the rest to the left. */
  public String text() {
    int columns = headers.size();
    int[] width = new int[columns];
    boolean[] right = new boolean[columns];
    for (int c = 0; c < columns; c++) {
      width[c] = headers.get(c).length();
      right[c] = !rows.isEmpty();
      for (List<String> r : rows) {
        width[c] = Math.max(width[c], r.get(c).length());
        right[c] &= r.get(c).isEmpty() || r.get(c).matches("[-+−<.\\d].*");
      }
    }
    StringBuilder out = new StringBuilder();
    line(out, headers, width, right);
    rows.forEach(r -> line(out, r, width, right));
    return out.toString();
  }

  private static void line(StringBuilder out, List<String> cells, int[] width, boolean[] right) {
    StringBuilder line = new StringBuilder();
    for (int c = 0; c < width.length; c++) {
      String pad = " ".repeat(width[c] - cells.get(c).length());
      line.append(c == 0 ? "" : "  ");
      line.append(right[c] ? pad + cells.get(c) : cells.get(c) + pad);
    }
    out.append(line.toString().stripTrailing()).append('\n');
  }

  /** A Markdown table. */
  public String markdown() {
    List<List<String>> lines = new ArrayList<>();
    lines.add(headers);
    lines.add(headers.stream().map(h -> "---").toList());
    lines.addAll(rows);
    return lines.stream()
        .map(l -> "| " + String.join(" | ", l) + " |\n")
        .collect(Collectors.joining());
  }
}
