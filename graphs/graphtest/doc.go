// Package graphtest runs graphs in float64 and checks their gradients by finite differences. Only
// tests use it.
//
// [Run] is an interpreter of every operator that package graphs emits. It is simple rather than
// fast: loops over indices, as the ONNX specification words them.
// Values of float16 and bfloat16 are rounded to their type, so that products in a low precision can be
// compared with exact ones.
// [CheckGradients] compares what graphs.Gradients builds with central differences. Float64 matters
// here: differences in float32 lose half of its digits.
package graphtest
