// Package export makes a trained student deployable: one ONNX file,
// normalisation inside and batch norm folded, that describes itself
// ([Build], [Write]), checked against the network it was made from ([Verify]).
//
// Its subpackages are what happens to such files afterwards: predict runs them
// and other people's models, score evaluates them, picture draws, report puts
// everything on one HTML page.
package export
