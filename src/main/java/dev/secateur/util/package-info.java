/**
 * Small tools that know nothing of networks: numbers and tables as people read them.
 *
 * <p>May import the JDK only. Everybody may import it.
 */
package dev.secateur.util;
