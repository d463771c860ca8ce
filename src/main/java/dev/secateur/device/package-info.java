/**
 * Where numbers are computed. A {@link dev.secateur.device.Device} owns memory and one stream of
 * work; its operations are told by kind, an interface each ({@link
 * dev.secateur.device.Convolutions}, {@link dev.secateur.device.Norms}, {@link
 * dev.secateur.device.Moves}, ...). An operation's Javadoc says shapes and types, its checks stand
 * below in the same file (made of {@link dev.secateur.device.Contract}), and {@code compile...} is
 * what a device implements. It is compiled once for fixed tensors and then launched ({@link
 * dev.secateur.device.Kernel}).
 *
 * <p>Imports {@code tensor} alone. Nobody but {@link dev.secateur.device.Devices} names a device's
 * own package, device.cpu or device.cuda; nobody but a device calls {@code compile...}. Begin with
 * {@link dev.secateur.device.Device} and {@link dev.secateur.device.Kernel}. What each device has
 * to compute is told by the tests of {@code conformance}, against a reference in double precision.
 */
package dev.secateur.device;
