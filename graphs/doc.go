// Package graphs builds, differentiates and serialises ONNX graphs of static shape.
//
// # Vocabulary
//
//   - A Graph is a list of nodes in topological order, with named inputs, parameters and outputs.
//   - A Value is one tensor of the graph: an input, a parameter, a constant or the output of a
//     node. Its shape and element type are known while the graph is built.
//   - A Node is one application of an operator. Its name is "scope/Operator_n" and reappears in
//     ONNX Runtime's profiles.
//   - A builder is a method of Graph that bears the exact ONNX name of the operator (Conv,
//     ReduceMean, …): it checks its operands, infers the shape and appends a node.
//     Equal nodes are created once (common-subexpression elimination), and builders that would do
//     nothing (a Reshape to the same shape, a multiplication by one) return their operand.
//   - The cotangent of a value is the derivative of the loss by that value. Gradients sweeps the
//     graph backwards and applies each node's rule, which emits ordinary nodes.
//   - The rule table holds exactly one entry per operator: a rule, "no gradient" (integer or
//     boolean results, piecewise constant functions) or "not differentiable" (an error when
//     reached).
//   - Narrow puts the products of a graph that is complete, gradients included, into float16 or
//     bfloat16, and Round emulates that. What is Exact stays float32.
//
// # Errors
//
// A mistake in building a graph is a programmer's error: builders panic with *Error, which names
// the operator, the node and the operands' shapes. Build recovers it, once, into an ordinary error.
//
// # Format
//
// Graph.Marshal writes an ONNX ModelProto of opset [Opset] and IR version 8, with ONNX
// Runtime's com.microsoft domain only when a node uses it (FusedMatMul, Gelu).
// Every operator, forward or emitted by a rule, has kernels in the CPU and CUDA providers of ONNX
// Runtime.
package graphs
