package nets

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/rng"
)

// waves fills n values with a sine of the index, as the reference did.
func waves(n int, phase float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(0.08 * math.Sin(0.37*float64(i)+phase))
	}
	return out
}

// The scores and gradients of AdaptSegNet's discriminator, written down in PyTorch 2 for
// weights and images of sines.
func TestDiscriminatorEqualsPyTorch(t *testing.T) {
	d := Discriminator{Channels: 3, Width: 64}
	in := map[string]*engine.Tensor{"x": enginetest.Tensor(t, waves(2*3*32*64, 7), 2, 3, 32, 64)}
	g, err := graphs.Build("discriminator", func(g *graphs.Graph) {
		x := g.Param("x", 2, 3, 32, 64)
		params := []*graphs.Value{x}
		scores := d.Apply(x, func(p ParamSpec) *graphs.Value {
			in[p.Name] = enginetest.Tensor(t, waves(p.Shape.Size(), float64(len(params)-1)), p.Shape...)
			v := g.Param(p.Name, p.Shape...)
			params = append(params, v)
			return v
		})
		g.Output("scores", scores)
		// ∂ of the cross-entropy with source and target, from the scores.
		p := g.Sigmoid(scores)
		cotangent := g.Mul(g.Sub(p, g.Floats([]float32{1, 0}, 2, 1, 1, 1)), g.Scalar(0.25))
		loss := g.ReduceSum(g.Mul(scores, g.Input("dy", graphs.Float32, 2, 1, 1, 2)), nil, false)
		g.Output("dy_", cotangent)
		for i, dv := range graphs.Gradients(loss, x, params[1], params[len(params)-1]) {
			g.Output([]string{"dx", "dw", "db"}[i], dv)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	s := enginetest.Session(t, enginetest.Open(t, engine.Options{IntraOpThreads: 1}), g)
	in["dy"] = enginetest.Tensor(t, make([]float32, 4), 2, 1, 1, 2)
	out, err := s.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	in["dy"] = out["dy_"]
	if out, err = s.Run(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	dw := out["dw"].Floats()
	have := slices.Concat(out["scores"].Floats(), []float32{dw[0], dw[100], dw[3071], out["dx"].Floats()[5], out["db"].Floats()[0]})
	want := []float64{
		-1.55492771, -1.6450789, -1.55489838, -1.64505672,
		2.73997466e-05, -3.52307616e-05, 1.61903972e-05, 2.50986814e-05, -0.33192277,
	}
	for i, w := range want {
		if !(math.Abs(float64(have[i])-w) <= enginetest.Tolerance(2e-4)*math.Abs(w)) {
			t.Errorf("value %d is %.9g, %.9g in PyTorch", i, have[i], w)
		}
	}
}

// Weights and biases are within ±1/√fan_in, and fill it.
func TestDiscriminatorBegins(t *testing.T) {
	for _, p := range (Discriminator{Channels: 19, Width: 64}).Params() {
		values := make([]float32, p.Shape.Size())
		p.Init(rng.New(1, 0, p.Name), values)
		bound := float32(0.0573539) // of conv1: 1/√(19·16)
		if p.Decay || p.Group != Encoder || strings.HasPrefix(p.Name, "discriminator.conv1") && max(slices.Max(values), -slices.Min(values)) > bound {
			t.Errorf("%s: %+v", p.Name, p)
		}
		if len(values) > 1000 && slices.Max(values) < -0.9*slices.Min(values) {
			t.Errorf("%s: from %g to %g", p.Name, slices.Min(values), slices.Max(values))
		}
	}
}

func TestDiscriminatorRefusesSmallMaps(t *testing.T) {
	for _, shape := range []graphs.Shape{{1, 3, 31, 64}, {1, 2, 32, 32}} {
		_, err := graphs.Build("small", func(g *graphs.Graph) {
			Discriminator{Channels: 3, Width: 64}.Apply(g.Param("x", shape...), func(p ParamSpec) *graphs.Value { return g.Param(p.Name, p.Shape...) })
		})
		if err == nil || !strings.Contains(err.Error(), "want maps [N,3,H,W] of at least 32×32") {
			t.Errorf("%v: error %v", shape, err)
		}
	}
}
