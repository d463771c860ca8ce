package dev.secateur.util;

import java.nio.file.Path;
import java.util.Map;

/** Where what can be made again is kept for this user. */
public final class CacheFolder {
  private CacheFolder() {}

  /** XDG_CACHE_HOME/secateur, or HOME/.cache/secateur. */
  public static Path of(Map<String, String> environment) {
    String cache = environment.getOrDefault("XDG_CACHE_HOME", "");
    Path base =
        cache.isEmpty() ? Path.of(environment.getOrDefault("HOME", "."), ".cache") : Path.of(cache);
    return base.resolve("secateur");
  }
}
