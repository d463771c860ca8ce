package dev.secateur.report;

import java.util.List;

/**
 * A plot of the report with what stands around it.
 *
 * @param name of its files, without the ending
 * @param caption below it
 * @param table the same in numbers, for who cannot see the plot or wants to know exactly
 */
record Figure(String name, Plot plot, String caption, Table table) {

  /**
   * @param headers of the columns; the first column heads its row
   */
  record Table(String caption, List<String> headers, List<List<String>> rows) {}
}
