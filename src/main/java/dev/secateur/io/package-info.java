/**
 * Model files, and what other rooms need to write files. {@link dev.secateur.io.Models} reads and
 * writes models of every kind; the native kind, {@code .sct}, is put together of a container
 * (Safetensors), the graph's names (GraphJson, the only place that knows them) and a number of the
 * format (NativeFormat); src/site/formats.md has it byte by byte. ONNX, PyTorch and Keras have
 * rooms of their own. {@link dev.secateur.io.AtomicFile}, {@link dev.secateur.io.Json}, {@link
 * dev.secateur.io.Folders} and {@link dev.secateur.io.Checksums} serve everybody above.
 *
 * <p>A file may lie: it is refused in one line that names it, and costs no more memory than it has
 * bytes.
 *
 * <p>Imports {@code nn}, {@code device} (the operations' numbers) and {@code tensor}; only cli,
 * experiment, report, run, prune and bench may import it. Begin with {@link
 * dev.secateur.io.Models}.
 */
package dev.secateur.io;
