/**
 * Partial least squares on a device, after the paper: cross-products of features and classes are
 * gathered batch by batch ({@link dev.secateur.pls.CrossProducts}), directions and the variable
 * importance follow from them alone ({@link dev.secateur.pls.PlsFit}), without a copy to the host
 * for a component.
 *
 * <p>Imports {@code device} and {@code tensor}. Begin with {@link dev.secateur.pls.PlsFit}.
 */
package dev.secateur.pls;
