/**
 * Times: networks side by side, turn by turn ({@link dev.secateur.bench.Benchmark}, {@link
 * dev.secateur.bench.Latency}), their layers against the roofline ({@link
 * dev.secateur.bench.Profile}), the energy that they take ({@link dev.secateur.bench.Energy}). ONNX
 * Runtime takes part where it is asked to. Records' components are the fields of the JSON files.
 *
 * <p>Imports {@code nn}, {@code io}, {@code device} and {@code tensor}. Begin with {@link
 * dev.secateur.bench.Latency}.
 */
package dev.secateur.bench;
