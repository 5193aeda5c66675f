package program

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// arena holds the parameters a [2] and b [2] from offset 0 and 2 on.
func arena(t *testing.T) (*engine.HostArena, Params) {
	t.Helper()
	m, err := engine.NewArena(4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, func(name string, shape graphs.Shape) (*engine.Tensor, error) {
		offset, ok := map[string]int{"a": 0, "b": 2}[name]
		if !ok {
			return nil, errors.New("there is no memory for it")
		}
		return m.View(offset, shape...)
	}
}

// TestRun: Σ x·a·b with x int64, twice; gradients add up where they lie, and the
// parameters are read where they lie.
func TestRun(t *testing.T) {
	t.Run("bound", func(t *testing.T) { testRun(t, engine.Options{}) })
	t.Run("captured", func(t *testing.T) { testRun(t, engine.Options{CUDA: engine.CUDAOptions{Graph: true}}) })
}

func testRun(t *testing.T, o engine.Options) {
	params, views := arena(t)
	grads, gradViews := arena(t)
	copy(params.Host(), []float32{1, 2, 3, 4})
	var x []int64
	var loss, scaled []float32
	weights := []float32{1, 10}
	p, err := New(enginetest.Open(t, o), "sum", views, func(p *Program) {
		p.Capture()
		g := p.Graph()
		in, memory := Input[int64](p, "x", 2)
		x = memory
		product := g.Mul(g.Cast(in, graphs.Float32), g.Mul(g.Param("a", 2), g.Param("b", 2)))
		product = g.Mul(product, InputOf(p, "weights", weights, 2))
		scaled = Output[float32](p, "product", product)
		sum := g.ReduceSum(product, nil, false)
		loss = Output[float32](p, "loss", sum)
		p.Differentiate(sum, graphs.Gradients, gradViews)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.session.Captured() != o.CUDA.Graph {
		t.Errorf("captured: %v", p.session.Captured())
	}
	copy(x, []int64{5, 7})
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if loss[0] != 15+560 || !slices.Equal(scaled, []float32{15, 560}) {
		t.Errorf("loss %v, products %v", loss, scaled)
	}
	if want := []float32{15, 280, 5, 140}; !slices.Equal(grads.Host(), want) {
		t.Errorf("gradients %v, want %v", grads.Host(), want)
	}
	if over, err := p.Over(nil); (err != nil) != o.CUDA.Graph {
		t.Errorf("over other memory: %v", err)
	} else if err == nil {
		if err := over.Close(); err != nil {
			t.Error(err)
		}
	}
	weights[1], params.Host()[0] = 0, 2
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []float32{30, 280, 15, 140}; loss[0] != 30 || !slices.Equal(grads.Host(), want) {
		t.Errorf("then loss %v, gradients %v, want %v", loss, grads.Host(), want)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// TestHold: Σ a·b with b held: its gradient is not asked for, a's is there.
func TestHold(t *testing.T) {
	params, views := arena(t)
	grads, gradViews := arena(t)
	copy(params.Host(), []float32{1, 2, 3, 4})
	p, err := New(enginetest.Open(t, engine.Options{}), "held", views, func(p *Program) {
		g := p.Graph()
		a := g.Param("a", 2)
		var b *graphs.Value
		p.Hold(func() { b = g.Param("b", 2) })
		p.Differentiate(g.ReduceSum(g.Mul(a, g.Detach(b)), nil, false), graphs.Gradients, gradViews)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Run(t.Context()); err != nil || !slices.Equal(grads.Host(), []float32{3, 4, 0, 0}) {
		t.Errorf("gradients %v, %v", grads.Host(), err)
	}
}

// TestFeed gives memory to an input that the graph has declared.
func TestFeed(t *testing.T) {
	var memory, twice []float32
	p, err := New(enginetest.Open(t, engine.Options{}), "feed", nil, func(p *Program) {
		in := p.Graph().Input("in", graphs.Float32, 3)
		memory, twice = Feed[float32](p, in), Output[float32](p, "twice", p.Graph().Add(in, in))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	copy(memory, []float32{1, 2, 3})
	if err := p.Run(t.Context()); err != nil || !slices.Equal(twice, []float32{2, 4, 6}) {
		t.Errorf("%v, %v", twice, err)
	}
}

// TestLend gives inputs that the graph has declared memory that there is already.
func TestLend(t *testing.T) {
	memory := []float32{1, 2, 3}
	var twice []float32
	lend := func(name string, shape graphs.Shape) (*engine.Tensor, error) {
		return engine.NewTensor(memory, shape...)
	}
	build := func(n int) (*Program, error) {
		return New(enginetest.Open(t, engine.Options{}), "lend", nil, func(p *Program) {
			in := p.Graph().Input("in", graphs.Float32, n)
			p.Lend([]*graphs.Value{in}, lend)
			twice = Output[float32](p, "twice", p.Graph().Add(in, in))
		})
	}
	p, err := build(3)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	memory[2] = 5
	if err := p.Run(t.Context()); err != nil || !slices.Equal(twice, []float32{2, 4, 10}) {
		t.Errorf("%v, %v", twice, err)
	}
	if _, err := build(4); err == nil || !strings.Contains(err.Error(), "program.Lend (in)") {
		t.Errorf("memory of another size: %v", err)
	}
}

// TestMistakes: each is an error that names what is wrong, before any run.
func TestMistakes(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	_, views := arena(t)
	for what, k := range map[string]struct {
		params Params
		build  func(p *Program)
		want   []string
	}{
		"an input without memory": {nil, func(p *Program) {
			Output[float32](p, "y", p.Graph().Exp(p.Graph().Input("forgotten", graphs.Float32, 2)))
		}, []string{"mistake", "forgotten", "missing"}},
		"an output without memory": {nil, func(p *Program) {
			x, _ := Input[float32](p, "x", 2)
			p.Graph().Output("lost", p.Graph().Exp(x))
		}, []string{"mistake", "lost", "missing"}},
		"memory of another size": {nil, func(p *Program) { InputOf(p, "x", make([]float32, 3), 2) }, []string{"mistake", "(x)", "3"}},
		"an output of another type": {nil, func(p *Program) {
			x, _ := Input[float32](p, "x", 2)
			Output[int64](p, "y", p.Graph().Exp(x))
		}, []string{"mistake", "(y)", "float32", "int64"}},
		"a name that is taken": {nil, func(p *Program) { Input[float32](p, "x", 2); Input[float32](p, "x", 2) }, []string{"mistake", "(x)", "taken"}},
		"a parameter, and no memory for any": {nil, func(p *Program) {
			Output[float32](p, "y", p.Graph().Exp(p.Graph().Param("a", 2)))
		}, []string{"mistake", "(a)", "parameter"}},
		"a parameter without memory": {views, func(p *Program) {
			Output[float32](p, "y", p.Graph().Exp(p.Graph().Param("c", 2)))
		}, []string{"mistake", "(c)", "no memory"}},
		"no outputs": {nil, func(p *Program) { Input[float32](p, "x", 2) }, []string{"mistake", "no outputs"}},
	} {
		p, err := New(e, "mistake", k.params, k.build)
		if err == nil {
			t.Errorf("%s: accepted (%v)", what, p.Close())
			continue
		}
		for _, w := range k.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: have %v, want %q in it", what, err, w)
			}
		}
	}
}

// TestOver: one session runs over what was declared and over what is in place of it.
func TestOver(t *testing.T) {
	memory := make([]*engine.Tensor, 3)
	values := [][]float32{{1, 2}, {10, 20}, {100, 200}}
	for i, v := range values {
		var err error
		if memory[i], err = engine.NewTensor(v, 2); err != nil {
			t.Fatal(err)
		}
	}
	p, err := New(enginetest.Open(t, engine.Options{}), "add", nil, func(p *Program) {
		p.Store("sum", p.Graph().Add(p.Resident("x", memory[0]), p.Resident("y", memory[1])), memory[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.Over(map[string]*engine.Tensor{"y": memory[2]})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Run(t.Context()), other.Run(t.Context()), p.Run(t.Context())); err != nil {
		t.Fatal(err)
	}
	if want := []float32{121, 242}; !slices.Equal(values[0], want) {
		t.Errorf("sum %v, want %v", values[0], want)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if other.Run(t.Context()) == nil {
		t.Error("it runs although the program is closed")
	}
	if wrong, err := p.Over(nil); err == nil {
		t.Errorf("over a closed program: %v", wrong)
	}
}
