// Package cases has small graphs of every operator that package graphs emits. Tests check
// the gradient rules and the runtime's kernels by them, and the command doctor the
// device's. There is one file per family of operators.
package cases
