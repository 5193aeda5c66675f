// Package report puts everything about a run on one HTML page that needs no
// network.
package report
