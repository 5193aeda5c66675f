package learner

import (
	"math"
	"runtime"
	"sync"

	"t2sda/configs"
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
	for _, s := range o.spans {
		k := o.scalars(s, u)
		inParallel(s.From, s.To, func(from, to int) {
			k.update(p[from:to], g[from:to], m[from:to], v[from:to])
		})
	}
}

// scalars are the constants of an update of a span.
func (o *adamW) scalars(s span, u update) adamWScalars {
	factor := 1.0
	if o.clipNorm > 0 && u.norm > o.clipNorm {
		factor = o.clipNorm / u.norm
	}
	c1 := 1 - math.Pow(o.beta1, float64(u.index+1))
	c2 := 1 - math.Pow(o.beta2, float64(u.index+1))
	return adamWScalars{
		beta1: float32(o.beta1), beta2: float32(o.beta2), eps: float32(o.eps), grad: float32(factor / u.scale),
		// Not 1 − float32(β): that is off by 1e-5 of the moment.
		new1: float32(1 - o.beta1), new2: float32(1 - o.beta2),
		keep:   float32(1 - u.lr*s.LRFactor*s.Decay),
		rate:   float32(u.lr * s.LRFactor / c1),
		rsqrtC: float32(1 / math.Sqrt(c2)),
	}
}

// adamWScalars are the constants of one span's update.
type adamWScalars struct {
	beta1, beta2, new1, new2, eps, grad, keep, rate, rsqrtC float32
}

// update loads everything before it stores anything: arenas begin at page
// boundaries, and a load that follows a store to the same place of another page
// waits for it (AMD Zen: 16 ns an element instead of 4.5).
func (k adamWScalars) update(p, g, m, v []float32) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	for i := range p {
		d := g[i] * k.grad
		mean := k.beta1*m[i] + k.new1*d
		square := k.beta2*v[i] + k.new2*d*d
		root := float32(math.Sqrt(float64(square))) * k.rsqrtC
		p[i] = p[i]*k.keep - k.rate*mean/(root+k.eps)
		m[i], v[i] = mean, square
	}
}

// norm2 is the Euclidean norm, summed in float64 in fixed blocks so that the
// result does not depend on the number of cores.
func norm2(x []float32) float64 {
	const block = 1 << 14
	sums := make([]float64, (len(x)+block-1)/block)
	inParallel(0, len(sums), func(from, to int) {
		for b := from; b < to; b++ {
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
