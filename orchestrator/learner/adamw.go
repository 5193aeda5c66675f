package learner

import (
	"math"
	"runtime"
	"sync"

	"t2sda/configs"
	"t2sda/internal/lanes"
)

// span is a range [From, To) of the parameter arena that shares its step size
// and weight decay.
type span struct {
	From, To int
	LRFactor float64 // times the encoder's learning rate
	Decay    float64 // decoupled weight decay
}

// adamW is AdamW (Loshchilov and Hutter 2019, algorithm 2) over flat arenas, with
// PyTorch's order of operations.
type adamW struct {
	beta1, beta2, eps float64
	clipNorm          float64
	spans             []span
}

func newAdamW(c configs.Train, spans []span) *adamW {
	return &adamW{beta1: c.Beta1, beta2: c.Beta2, eps: c.Epsilon, clipNorm: c.ClipNorm, spans: spans}
}

// update updates p in place from the gradients g, times u's scale, and both moments.
func (o *adamW) update(p, g, m, v []float32, u update) {
	scalars := make([]lanes.AdamW, len(o.spans))
	for i, s := range o.spans {
		scalars[i] = o.scalars(s, u)
	}
	inParallel(0, len(p), func(from, to int) {
		for i, s := range o.spans {
			if a, b := max(from, s.From), min(to, s.To); a < b {
				scalars[i].Update(p[a:b], g[a:b], m[a:b], v[a:b])
			}
		}
	})
}

// scalars are the constants of an update of a span.
func (o *adamW) scalars(s span, u update) lanes.AdamW {
	factor := 1.0
	if o.clipNorm > 0 && u.norm > o.clipNorm {
		factor = o.clipNorm / u.norm
	}
	c1 := 1 - math.Pow(o.beta1, float64(u.index+1))
	c2 := 1 - math.Pow(o.beta2, float64(u.index+1))
	return lanes.AdamW{
		Beta1: float32(o.beta1), Beta2: float32(o.beta2), Eps: float32(o.eps),
		New1: float32(1 - o.beta1), New2: float32(1 - o.beta2),
		Grad:   float32(factor / u.scale),
		Keep:   float32(1 - u.lr*s.LRFactor*s.Decay),
		Rate:   float32(u.lr * s.LRFactor / c1),
		RsqrtC: float32(1 / math.Sqrt(c2)),
	}
}

// norm2 is the Euclidean norm, summed in float64 in fixed blocks so that the
// result does not depend on the number of cores.
func norm2(x []float32) float64 {
	const block = 1 << 14
	sums := make([]float64, (len(x)+block-1)/block)
	whole := len(x) / block
	inParallel(0, len(sums), func(from, to int) {
		b := from
		for ; b+4 <= min(to, whole); b += 4 { // a sum waits for its last addition: four take as long as one
			at := func(k int) []float32 { return x[(b+k)*block:][:block] }
			p, q, r, s := at(0), at(1), at(2), at(3)
			var ofP, ofQ, ofR, ofS float64
			for i := range block {
				ofP += float64(p[i]) * float64(p[i])
				ofQ += float64(q[i]) * float64(q[i])
				ofR += float64(r[i]) * float64(r[i])
				ofS += float64(s[i]) * float64(s[i])
			}
			copy(sums[b:], []float64{ofP, ofQ, ofR, ofS})
		}
		for ; b < to; b++ {
			var s float64
			for _, v := range x[b*block : min((b+1)*block, len(x))] {
				s += float64(v) * float64(v)
			}
			sums[b] = s
		}
	})
	var total float64
	for _, s := range sums {
		total += s
	}
	return math.Sqrt(total)
}

// inParallel runs f on disjoint ranges that cover [from, to), one per core.
// f must write only what belongs to its range's elements.
func inParallel(from, to int, f func(from, to int)) {
	n := to - from
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		if n > 0 {
			f(from, to)
		}
		return
	}
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() { f(from+w*n/workers, from+(w+1)*n/workers) })
	}
	wait.Wait()
}
