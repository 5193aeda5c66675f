// Package sweep trains the rows of a table ([configs.Sweep]) with several seeds
// each, side by side, and writes the table, a picture of it and what every run
// reached.
//
// A run is known by its configuration's hash, which includes the seed: rows of
// equal configurations, of one sweep or of several that share an output folder,
// are trained once. What is written as JSON is read again by the next call, so
// that another machine can add rows and seeds to it.
package sweep
