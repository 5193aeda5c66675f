package program

import (
	"slices"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// TestCapturedPlaces: one memory that two inputs see in their own shapes has one place, inputs may
// be all there is of the host's, and what is added to in place counts once a run from the first on.
func TestCapturedPlaces(t *testing.T) {
	e := enginetest.Open(t, engine.Options{CUDA: engine.CUDAOptions{Graph: true}})
	a, err := e.NewDeviceArena(engine.DeviceAlign + 2)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := a.View(engine.DeviceAlign, 2)
	if err != nil {
		t.Fatal(err)
	}
	shared := []float32{1, 2, 3, 4}
	p, err := New(e, "places", nil, func(p *Program) {
		p.Capture()
		g := p.Graph()
		flat, square := InputOf(p, "flat", shared, 4), InputOf(p, "square", shared, 2, 2)
		rows := g.ReduceSum(square, []int{1}, false)
		p.Add("sum", g.Add(rows, g.Slice(flat, []int{0}, []int{2}, []int{0}, []int{1})), sum)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	have := make([]float32, 2)
	for _, want := range [][]float32{{4, 9}, {8, 18}} {
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.Read(have, engine.DeviceAlign); err != nil || !slices.Equal(have, want) {
			t.Errorf("have %v (%v), want %v", have, err, want)
		}
	}
}
