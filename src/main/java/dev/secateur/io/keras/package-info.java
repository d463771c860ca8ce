/**
 * Keras 2 models. {@link dev.secateur.io.keras.KerasImport} opens the files (an architecture in
 * JSON beside its weights, or both in one HDF5 file), KerasLayers makes nodes of layers,
 * KerasWeights finds a layer's arrays and brings them into our order of axes.
 *
 * <p>Imports {@code io}, {@code nn}, {@code device} and {@code tensor}, and jhdf. Begin with
 * KerasLayers; a new layer is a case there, and KerasImportTest.
 */
package dev.secateur.io.keras;
