/**
 * ONNX as graphs, and graphs as ONNX. OnnxFile holds the protobuf and external data; {@link
 * dev.secateur.io.onnx.OnnxImport} chooses what the output needs and walks it, a Step at a time;
 * Operators is the table of what is read, a line an operator, with the code in Layers, Arithmetic
 * and Channels for features and in ConstantFolding for constants. A tensor's Value is a Constant,
 * or features: a node of the graph seen through a View (order of axes, some of the channels) with
 * an affine function still to be put in. NetworkBuilder makes the nodes. {@link
 * dev.secateur.io.onnx.OnnxExport} writes opset 17.
 *
 * <p>Imports {@code io}, {@code nn}, {@code device} and {@code tensor}, and the protobuf classes.
 * Begin with Operators; a new operator is a line there, its code, and OnnxOperatorsTest.
 */
package dev.secateur.io.onnx;
