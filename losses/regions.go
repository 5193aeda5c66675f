package losses

import (
	"fmt"

	"t2sda/graphs"
)

// Regions divide an image, and a map of its features, into equal parts, which are counted row by
// row.
type Regions struct{ Rows, Columns int }

// Count returns how many there are.
func (r Regions) Count() int { return r.Rows * r.Columns }

// Divide reports whether each region has the same number of the cells of an h×w map.
func (r Regions) Divide(h, w int) bool { return h%r.Rows == 0 && w%r.Columns == 0 }

// Pool returns the mean of a map's features [N,D,h,w] in each region, brought to unit length, as
// [N,R,D]. It panics with *graphs.Error on a map that the regions do not divide.
func (r Regions) Pool(features *graphs.Value) *graphs.Value {
	g, s := features.Graph(), features.Shape()
	if len(s) != 4 || !r.Divide(s[2], s[3]) {
		panic(&graphs.Error{Op: "Regions.Pool", Node: features.Name(), Shapes: []graphs.Shape{s}, Message: fmt.Sprintf("want a map [N,D,h,w] that %d×%d regions divide", r.Rows, r.Columns)})
	}
	var pooled *graphs.Value
	inFloat32(g, "regions", func() {
		size := [2]int{s[2] / r.Rows, s[3] / r.Columns}
		pooled = unitLength(positions(g.AveragePool(features, size, graphs.ConvAttrs{Strides: size})))
	})
	return pooled
}

// Target fills own [R]: whether at least a share of a region's pixels are neither pasted [H·W], of
// rows of so many pixels, nor in the rim. The regions must divide the image.
func (r Regions) Target(own, pasted []bool, width int, rim Rim, share float64) {
	height := len(pasted) / width
	h, w := height/r.Rows, width/r.Columns
	counts := make([]int, r.Count())
	for at, p := range pasted {
		if y := at / width; !p && !rim.Holds(y, height) {
			counts[y/h*r.Columns+at%width/w]++
		}
	}
	for i, n := range counts {
		own[i] = float64(n) >= share*float64(h*w)
	}
}

// noKey is added to the similarity of what is no negative: far below all of them.
const noKey = -1e30

// RegionContrast returns the weighted sum over regions q of N images
//
//	−log( e^{q·k⁺/τ} / (e^{q·k⁺/τ} + Σ_j e^{q·k⁻_j/τ}) )
//
// as a scalar, where k⁺ is the key of the same place and k⁻_j are those keys that [Negatives] has
// for the region's image (the InfoNCE of van den Oord et al. between regions, as RCCR, Zhou et al.,
// ICME 2022, describes its contrast):
//
//	queries  float32 [N,R,D], of unit length
//	keys     float32 [K,D], of unit length
//	own      int64   [N,R], which of them is k⁺
//	absent   float32 [N,K]
//	weights  float32 [N,R], denominators included
//
// The gradient goes to the queries only. A query without negatives adds 0. It panics with
// *graphs.Error on operands of other shapes and on τ ≤ 0.
func RegionContrast(queries, keys, own, absent, weights *graphs.Value, tau float32) *graphs.Value {
	checkRegions(queries, keys, own, absent, weights, tau)
	g, n, r, k := queries.Graph(), queries.Dim(0), queries.Dim(1), keys.Dim(0)
	var loss *graphs.Value
	inFloat32(g, "region_contrast", func() {
		flat := g.Reshape(queries, n*r, queries.Dim(2))
		similar := g.Reshape(g.FusedMatMul(flat, keys, false, true, 1/tau), n, r, k)
		places := make([]int64, k)
		for i := range places {
			places[i] = int64(i)
		}
		own := g.Reshape(own, n, r, 1)
		positive := g.Equal(own, g.Ints(places, 1, 1, k)) // [N,R,K]
		similar = g.Add(similar, g.Where(positive, g.Scalar(0), g.Reshape(absent, n, 1, k)))
		each := g.GatherElements(g.LogSoftmax(similar, 2), own, 2)
		loss = g.Neg(g.ReduceSum(g.Mul(each, g.Reshape(weights, n, r, 1)), []int{0, 1, 2}, false))
	})
	return loss
}

func checkRegions(queries, keys, own, absent, weights *graphs.Value, tau float32) {
	q, k, o, a, w := queries.Shape(), keys.Shape(), own.Shape(), absent.Shape(), weights.Shape()
	ok := len(q) == 3 && len(k) == 2 && k[1] == q[2] && o.Equal(q[:2]) && w.Equal(q[:2]) && a.Equal(graphs.Shape{q[0], k[0]})
	if !ok || own.DType() != graphs.Int64 || !(tau > 0) {
		panic(&graphs.Error{
			Op: "RegionContrast", Node: queries.Name(), Shapes: []graphs.Shape{q, k, o, a, w},
			Message: fmt.Sprintf("want queries [N,R,D], keys [K,D], own int64 [N,R], absent [N,K], weights [N,R], tau > 0; tau is %g", tau),
		})
	}
}

// Negatives says which keys are negatives of an image's regions. Keys are those of Memory earlier
// regions, of which Known are there, and then of the regions of all images of a batch.
type Negatives struct {
	Regions       int // of an image
	Memory, Known int
	Within        bool // the other regions of the image
	Across        bool // those of other images, and the earlier ones
}

// Own returns the key of a region of image n of the batch.
func (s Negatives) Own(n, region int) int { return s.Memory + n*s.Regions + region }

// Encode fills absent [K] for image n of the batch: 0 for its regions' negatives, of which each
// region's own key is none, whatever it says there.
func (s Negatives) Encode(absent []float32, n int) {
	from, to := s.Own(n, 0), s.Own(n+1, 0)
	for k := range absent {
		absent[k] = 0
		mine, there := k >= from && k < to, k >= s.Memory || k < s.Known
		if mine && !s.Within || !mine && !(s.Across && there) {
			absent[k] = noKey
		}
	}
}
