// Package onnxmodel reads a serialised ONNX model into values that a pass can edit, and writes it
// again. What it does not understand it keeps as it stands; the shapes of inner values, which a pass
// would make untrue, it drops. The numbers of fields are those of onnx.proto.
package onnxmodel
