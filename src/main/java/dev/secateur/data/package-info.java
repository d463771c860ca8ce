/**
 * Images and their labels: CIFAR-10, IDX files, folders of images, parts of these. A {@link
 * dev.secateur.data.Dataset} writes one image's bytes where it is told to, from any thread;
 * resizing and decoding are Pillow's, to the bit.
 *
 * <p>Imports {@code tensor}. Begin with {@link dev.secateur.data.Dataset} and {@link
 * dev.secateur.data.DataSets}.
 */
package dev.secateur.data;
