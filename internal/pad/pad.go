// Package pad says how pictures are continued for networks that take sizes of
// certain multiples only: to the right and below, by reflection.
package pad

import "slices"

// MaxStride is the largest stride that is tried. The strides of networks are powers
// of two, and 32 for nearly all.
const MaxStride = 64

// Size is a width and a height in pixels.
type Size struct{ W, H int }

// Sizes lists what a picture may be continued to, smallest first: the multiples of
// powers of two up to [MaxStride], or the multiple of divisor alone where that is
// not 0. An axis that is fixed (not 0) keeps that length.
func Sizes(own, fixed Size, divisor int) []Size {
	strides := []int{divisor}
	if divisor == 0 {
		strides = nil
		for n := 1; n <= MaxStride; n *= 2 {
			strides = append(strides, n)
		}
	}
	var all []Size
	for _, n := range strides {
		to := Size{up(own.W, fixed.W, n), up(own.H, fixed.H, n)}
		if !slices.Contains(all, to) {
			all = append(all, to)
		}
	}
	return all
}

func up(length, fixed, n int) int {
	if fixed > 0 {
		return fixed
	}
	return (length + n - 1) / n * n
}

// Mirror maps a position from 0 on onto [0, n) as two mirrors at its ends do, which do not
// repeat the outermost pixels: 0 1 2 1 0 1 … for n = 3.
func Mirror(i, n int) int {
	if n == 1 {
		return 0
	}
	i %= 2 * (n - 1)
	return min(i, 2*(n-1)-i)
}
