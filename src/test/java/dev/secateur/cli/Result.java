package dev.secateur.cli;

import java.io.PrintWriter;
import java.io.StringWriter;

/** A command that ran in this process: its exit code and what it printed. */
record Result(int code, String out, String err) {
  static Result run(Object... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] words = new String[args.length];
    for (int i = 0; i < words.length; i++) {
      words[i] = args[i].toString();
    }
    int code = Main.execute(new PrintWriter(out), new PrintWriter(err), words);
    return new Result(code, out.toString(), err.toString());
  }
}
