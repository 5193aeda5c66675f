// Package finite tells numbers from what is none.
package finite

// Is reports whether x is neither NaN nor an infinity.
func Is[T float32 | float64](x T) bool { return x-x == 0 }

// All reports whether x holds neither NaN nor an infinity.
func All[T float32 | float64](x []T) bool {
	for _, v := range x {
		if !Is(v) {
			return false
		}
	}
	return true
}
