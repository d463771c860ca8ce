package dev.secateur;

/**
 * A setting whose value cannot be: what was set, what was given, and what is possible. A command
 * that sets it by an option names the option in its place.
 */
public final class SettingException extends SecateurException {
  private static final long serialVersionUID = 1L;

  private final String setting;
  private final String problem;

  /**
   * @param setting its path in the recipe, such as {@code scoring.components}
   * @param problem what was given and what is possible, such as {@code '0': expected ...}
   */
  public SettingException(String setting, String problem) {
    super(setting + " " + problem);
    this.setting = setting;
    this.problem = problem;
  }

  public String setting() {
    return setting;
  }

  public String problem() {
    return problem;
  }
}
