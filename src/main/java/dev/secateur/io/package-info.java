/**
 * Model files. {@link dev.secateur.io.Models} reads and writes models of every kind; the native
 * kind, {@code .sct}, is put together of a container (Safetensors), the graph's names (GraphJson,
 * the only place that knows them) and a number of the format (NativeFormat); src/site/formats.md
 * has it byte by byte. ONNX, PyTorch and Keras have rooms of their own.
 *
 * <p>A file may lie: it is refused in one line that names it, and costs no more memory than it has
 * bytes.
 *
 * <p>Imports {@code nn}, {@code device} (the operations' numbers), {@code tensor} and {@code util};
 * rooms above training may import it. Begin with {@link dev.secateur.io.Models}.
 */
package dev.secateur.io;
