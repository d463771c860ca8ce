package dev.secateur;

/**
 * A setting whose value cannot be: what was set, what was given, and what is possible. A command
 * that sets it by an option names the option in its place.
 */
public final class SettingException extends SecateurException {
  private static final long serialVersionUID = 1L;

  private final String path;
  private final String problem;

  /**
   * @param path the setting's in the recipe, such as {@code scoring.components}
   * @param problem what was given and what is possible, such as {@code '0': expected ...}
   */
  public SettingException(String path, String problem) {
    super(path + " " + problem);
    this.path = path;
    this.problem = problem;
  }

  public String path() {
    return path;
  }

  public String problem() {
    return problem;
  }
}
