// Package median has the middle of measurements.
package median

import "slices"

// Of returns the middle one of x in order, of an even number the mean of the two in the middle. x, which
// has at least one element, stays as it is.
func Of(x []float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
