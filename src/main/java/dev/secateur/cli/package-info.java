/**
 * The command line: a class a command, a class a section of options, one line a failure. Options
 * that are marked with {@code Sets} become a {@link dev.secateur.prune.Recipe}; what they may be is
 * checked there, once. No domain work is done here.
 *
 * <p>May import everything and is imported by nobody. Begin with {@link dev.secateur.cli.Main},
 * then {@code PruneCommand}.
 */
package dev.secateur.cli;
