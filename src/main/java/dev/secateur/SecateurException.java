package dev.secateur;

import java.util.Optional;

/**
 * A failure whose message is one clear line: it names the file, the value and what was expected.
 * The command line prints it without a stack trace and exits with 1.
 */
public class SecateurException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private String setting = "";

  public SecateurException(String message) {
    super(message);
  }

  public SecateurException(String message, Throwable cause) {
    super(message, cause);
  }

  /**
   * Says which setting could help, so that a command that has an option for it can name the option.
   *
   * @param name its path in a recipe, or one of data, model and onnx
   * @return this
   */
  public final SecateurException about(String name) {
    setting = name;
    return this;
  }

  /** The setting that the failure is about, where it is about one. */
  public final Optional<String> setting() {
    return Optional.of(setting).filter(s -> !s.isEmpty());
  }
}
