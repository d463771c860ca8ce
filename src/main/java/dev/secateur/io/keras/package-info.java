/**
 * Keras 2 and 3 models. {@link dev.secateur.io.keras.KerasImport} opens the files (an architecture
 * in JSON beside its weights, or both in one HDF5 file or archive), KerasConfig lists the layers
 * whichever version wrote them, KerasLayers makes nodes of them, KerasWeights finds their arrays.
 *
 * <p>Imports {@code io}, {@code nn}, {@code device} and {@code tensor}, and jhdf. Begin with
 * KerasLayers; a new layer is a case there, and KerasImportTest.
 */
package dev.secateur.io.keras;
