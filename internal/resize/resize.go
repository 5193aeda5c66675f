// Package resize brings pictures to another size as training, prediction and
// evaluation all do it, so that a model sees the same pixels everywhere.
package resize

import (
	"math"
	"sync"

	"github.com/disintegration/imaging"

	"t2sda/internal/raster"
)

// Rows scales a picture while its rows come in, as imaging.Resize does: first
// along the rows, then down the columns, rounding to 8 bits after each. It
// differs from it in speed alone: the three channels of a pixel lie in one word,
// which one multiplication weighs, so that weights are multiples of 1/8192. A
// channel may thereby be rounded to the other side, one level away.
type Rows struct {
	x, y   *weights
	pixels []uint64 // the row that came in, as lanes
	rows   []uint64 // the last rows, scaled along x; row k at k modulo y.taps
	dst    []byte   // the result, packed RGB
	in     int      // rows that came in
	out    int      // rows written
}

// Lanes: red in the lowest 21 bits of a word, then green, then blue. 255 times
// the sum of the weights fits into a lane, with a half for rounding.
const (
	laneBits   = 21
	weightBits = 13
	laneOnes   = 1 | 1<<laneBits | 1<<(2*laneBits)
	laneBytes  = 0xff * laneOnes
	laneHalf   = laneOnes << (weightBits - 1)
)

// weights says how outputs are made from inputs along one axis: output i is the
// sum of taps inputs, from first[i] on, times weight[i·taps…].
type weights struct {
	taps   int
	first  []int
	weight []uint64 // in units of 2^−weightBits, their sum is 1
}

// resizers keeps the memory of resizers for the next picture.
var resizers = sync.Pool{New: func() any { return new(Rows) }}

// New prepares scaling from w0×h0 to w×h, bilinearly; when it shrinks,
// over the whole area that an output pixel covers, so that thin structures do
// not alias. The result goes to dst, packed RGB. The caller ends with [Rows.Done].
func New(dst []byte, w0, h0, w, h int) *Rows {
	r := resizers.Get().(*Rows)
	r.x, r.y = newWeights(imaging.Linear, w0, w), newWeights(imaging.Linear, h0, h)
	r.pixels = growWords(r.pixels, w0)
	r.rows = growWords(r.rows, r.y.taps*w)
	r.dst, r.in, r.out = dst, 0, 0
	return r
}

// RGB returns a packed picture of w0×h0 pixels at w×h, as [Rows] makes it.
func RGB(src []byte, w0, h0, w, h int) []byte {
	dst := make([]byte, 3*w*h)
	r := New(dst, w0, h0, w, h)
	defer r.Done()
	for y := range h0 {
		r.Add(src[3*w0*y : 3*w0*(y+1)])
	}
	return dst
}

// Done returns the resizer's memory.
func (r *Rows) Done() {
	r.dst = nil
	resizers.Put(r)
}

func growWords(s []uint64, n int) []uint64 {
	if cap(s) < n {
		return make([]uint64, n)
	}
	return s[:n]
}

// newWeights computes what imaging's own precomputation does, in fixed point.
func newWeights(filter imaging.ResampleFilter, from, to int) *weights {
	step := float64(from) / float64(to)
	scale := max(step, 1)
	reach := math.Ceil(scale * filter.Support)
	w := &weights{taps: min(2*int(reach)+1, from), first: make([]int, to)}
	w.weight = make([]uint64, w.taps*to)
	exact := make([]float64, w.taps)
	most := 0
	for i := range to {
		centre := (float64(i)+0.5)*step - 0.5
		first := max(int(math.Ceil(centre-reach)), 0)
		last := min(int(math.Floor(centre+reach)), from-1)
		for filter.Kernel((float64(first)-centre)/scale) == 0 && first < last {
			first++
		}
		clear(exact)
		for u := first; u <= last; u++ {
			if exact[u-first] = filter.Kernel((float64(u) - centre) / scale); exact[u-first] != 0 {
				most = max(most, u-first+1)
			}
		}
		w.first[i] = first
		quantise(w.weight[i*w.taps:(i+1)*w.taps], exact)
	}
	w.trim(most, from)
	return w
}

// quantise divides 1 among the weights in proportion: what rounding leaves over
// goes to the largest.
func quantise(dst []uint64, exact []float64) {
	sum, largest := 0.0, 0
	for i, v := range exact {
		sum += v
		if v > exact[largest] {
			largest = i
		}
	}
	left := 1 << weightBits
	for i, v := range exact {
		n := int(math.Round(v / sum * (1 << weightBits)))
		dst[i] = uint64(n)
		left -= n
	}
	dst[largest] = uint64(int(dst[largest]) + left)
}

// trim leaves as many taps as the widest output needs, and moves windows that
// would then reach beyond the last input back.
func (w *weights) trim(taps, from int) {
	weight := make([]uint64, taps*len(w.first))
	for i, first := range w.first {
		shift := max(first+taps-from, 0)
		w.first[i] = first - shift
		copy(weight[i*taps+shift:(i+1)*taps], w.weight[i*w.taps:])
	}
	w.taps, w.weight = taps, weight
}

// Add takes the next row, packed RGB, and writes the rows of the result that it
// completes.
func (r *Rows) Add(row []byte) {
	pack(r.pixels, row)
	w := len(r.x.first)
	at := r.in % r.y.taps * w
	r.x.apply(r.rows[at:at+w], r.pixels)
	r.in++
	for r.out < len(r.y.first) && r.y.first[r.out]+r.y.taps <= r.in {
		r.mix(r.dst[3*w*r.out:3*w*(r.out+1)], r.out)
		r.out++
	}
}

// pack spreads packed RGB over lanes.
func pack(dst []uint64, row []byte) {
	for i := range dst {
		p := row[3*i : 3*i+3 : 3*i+3]
		dst[i] = uint64(p[0]) | uint64(p[1])<<laneBits | uint64(p[2])<<(2*laneBits)
	}
}

// apply scales one row of lanes.
func (w *weights) apply(dst, src []uint64) {
	weight, first := w.weight, w.first[:len(dst)]
	switch w.taps { // without an inner loop for what the paper's data sets need
	case 2: // enlarging
		for i := range dst {
			s, f := src[first[i]:first[i]+2:first[i]+2], weight[2*i:2*i+2:2*i+2]
			dst[i] = (s[0]*f[0] + s[1]*f[1] + laneHalf) >> weightBits & laneBytes
		}
	case 3: // GTA5 to 1280×720
		for i := range dst {
			s, f := src[first[i]:first[i]+3:first[i]+3], weight[3*i:3*i+3:3*i+3]
			dst[i] = (s[0]*f[0] + s[1]*f[1] + s[2]*f[2] + laneHalf) >> weightBits & laneBytes
		}
	case 4: // Cityscapes to 1024×512
		for i := range dst {
			s, f := src[first[i]:first[i]+4:first[i]+4], weight[4*i:4*i+4:4*i+4]
			dst[i] = (s[0]*f[0] + s[1]*f[1] + s[2]*f[2] + s[3]*f[3] + laneHalf) >> weightBits & laneBytes
		}
	default:
		for i := range dst {
			sum := uint64(laneHalf)
			for k, s := range src[first[i] : first[i]+w.taps] {
				sum += s * weight[i*w.taps+k]
			}
			dst[i] = sum >> weightBits & laneBytes
		}
	}
}

// mix writes row y of the result, packed RGB.
func (r *Rows) mix(dst []byte, y int) {
	taps, w := r.y.taps, len(r.x.first)
	weight := r.y.weight[y*taps : (y+1)*taps]
	row := func(k int) []uint64 {
		at := (r.y.first[y] + k) % taps * w
		return r.rows[at : at+w : at+w]
	}
	switch taps {
	case 2:
		a, b := row(0), row(1)
		for i := range a {
			unpack(dst[3*i:3*i+3:3*i+3], a[i]*weight[0]+b[i]*weight[1])
		}
	case 3:
		a, b, c := row(0), row(1), row(2)
		for i := range a {
			unpack(dst[3*i:3*i+3:3*i+3], a[i]*weight[0]+b[i]*weight[1]+c[i]*weight[2])
		}
	case 4:
		a, b, c, d := row(0), row(1), row(2), row(3)
		for i := range a {
			unpack(dst[3*i:3*i+3:3*i+3], a[i]*weight[0]+b[i]*weight[1]+c[i]*weight[2]+d[i]*weight[3])
		}
	default:
		for i := range w {
			sum := uint64(0)
			for k, f := range weight {
				sum += f * r.rows[(r.y.first[y]+k)%taps*w+i]
			}
			unpack(dst[3*i:3*i+3:3*i+3], sum)
		}
	}
}

// unpack rounds the lanes of a sum to bytes.
func unpack(dst []byte, sum uint64) {
	_ = dst[2]
	sum += laneHalf
	dst[0], dst[1], dst[2] = byte(sum>>weightBits), byte(sum>>(weightBits+laneBits)), byte(sum>>(weightBits+2*laneBits))
}

// Image returns m at w×h pixels, rounded to 8 bits; m itself where it has that
// size.
func Image(m *raster.Image, w, h int) *raster.Image {
	if m.W == w && m.H == h {
		return m
	}
	return raster.FromRGB(RGB(m.RGB(), m.W, m.H, w, h), w, h)
}
