package translate

import (
	"math"

	"t2sda/internal/raster"
)

// flatten smooths an image in place and keeps its edges: the recursive domain
// transform (Gastal and Oliveira, SIGGRAPH 2011, eqs. 11, 14 and 21). A difference of
// sigmaR between neighbours, summed over the channels, 0–765, counts as sigmaS px.
func flatten(m *raster.Image, sigmaS, sigmaR float64, passes int) {
	across, down := feedback(m, sigmaS, sigmaR, passes)
	for pass := range passes {
		if pass > 0 { // half the width: the feedback's square
			for i, a := range across {
				across[i], down[i] = a*a, down[i]*down[i]
			}
		}
		for c := range 3 {
			feedRows(m.Plane(c), across, m.W)
			feedColumns(m.Plane(c), down, m.W)
		}
	}
}

// feedback returns the share that the first pass gives each pixel of its neighbour
// to the left and above.
func feedback(m *raster.Image, sigmaS, sigmaR float64, passes int) (across, down []float32) {
	first := sigmaS * math.Sqrt(3) * math.Pow(2, float64(passes-1)) / math.Sqrt(math.Pow(4, float64(passes))-1)
	var table [3*255 + 2]float32
	for d := range table {
		table[d] = float32(math.Exp(-math.Sqrt2 / first * (1 + sigmaS/sigmaR*float64(d))))
	}
	red, green, blue := planes(m)
	shares := func(back int) []float32 {
		out := make([]float32, len(red))
		for i := back; i < len(out); i++ {
			d := abs32(red[i]-red[i-back]) + abs32(green[i]-green[i-back]) + abs32(blue[i]-blue[i-back])
			out[i] = lookUp(table[:], d)
		}
		return out
	}
	return shares(1), shares(m.W)
}

// lookUp interpolates a table of whole numbers at a number from 0 to its last but one.
func lookUp(table []float32, at float32) float32 {
	i := int(at)
	return table[i] + (at-float32(i))*(table[i+1]-table[i])
}

func abs32(v float32) float32 { return max(v, -v) }

// feedRows runs the recursive filter along rows of w, forth and back.
func feedRows(plane, a []float32, w int) {
	for at := 0; at < len(plane); at += w {
		row, a := plane[at:at+w], a[at:at+w]
		last := row[0]
		for x := 1; x < len(row); x++ {
			last = row[x] + a[x]*(last-row[x])
			row[x] = last
		}
		for x := len(row) - 2; x >= 0; x-- {
			last = row[x] + a[x+1]*(last-row[x])
			row[x] = last
		}
	}
}

// feedColumns is feedRows along columns.
func feedColumns(plane, a []float32, w int) {
	row := func(s []float32, y int) []float32 { return s[y*w : (y+1)*w] }
	h := len(plane) / w
	for y := 1; y < h; y++ {
		feed(row(plane, y), row(plane, y-1), row(a, y))
	}
	for y := h - 2; y >= 0; y-- {
		feed(row(plane, y), row(plane, y+1), row(a, y+1))
	}
}

func feed(row, from, a []float32) {
	from, a = from[:len(row)], a[:len(row)]
	for x, v := range row {
		row[x] = v + a[x]*(from[x]-v)
	}
}
