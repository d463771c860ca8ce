/**
 * PyTorch's state dicts, as {@code torch.save} writes them: a zip file or the older stream of
 * pickles. {@link dev.secateur.io.pytorch.StateDict} finds the tensors' bytes, TensorUnpickler
 * reads the pickle with a list of what it may name: nothing in a file is run. StateDictNames brings
 * timm's names to torchvision's.
 *
 * <p>Imports {@code io} (numbers, text) and {@code tensor}; it does not know networks: {@link
 * dev.secateur.io.Models} fits the tensors into a named architecture. Begin with {@link
 * dev.secateur.io.pytorch.StateDict}.
 */
package dev.secateur.io.pytorch;
