/**
 * Small tools that know nothing of networks: numbers and tables as people read them, JSON and YAML
 * ({@link dev.secateur.util.Json}), files that appear whole or not at all ({@link
 * dev.secateur.util.AtomicFile}), caches, checksums, and what closes things after a failure ({@link
 * dev.secateur.util.Cleanup}).
 *
 * <p>May import the JDK and Jackson only. Everybody may import it.
 */
package dev.secateur.util;
