package dev.secateur;

/**
 * A failure whose message is one clear line for the person at the terminal: it names the file, the
 * value and what was expected. The command line prints it without a stack trace and exits with 1.
 */
public class SecateurException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public SecateurException(String message) {
    super(message);
  }

  public SecateurException(String message, Throwable cause) {
    super(message, cause);
  }
}
