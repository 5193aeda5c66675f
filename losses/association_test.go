package losses

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

// buildAssociation makes both losses of maps [2,3,3,4] and [2,3,2,3] with their gradients. Of
// these there are no finite differences: statistics of the normalisation are constants to it.
func buildAssociation(t testing.TB) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("association", func(g *graphs.Graph) {
		source, target := g.Param("source", 2, 3, 3, 4), g.Param("target", 2, 3, 2, 3)
		labels, valid := g.Input("labels", graphs.Int64, 2, 12), g.Input("valid", graphs.Float32, 2, 12)
		features := Association{source, target, labels, valid, 0.5}.Features()
		predictions := Association{g.Softmax(source, 1), g.Softmax(target, 1), labels, valid, 0.5}.Probabilities()
		smooth := Smoothness(source, 10)
		for name, loss := range map[string]*graphs.Value{"features": features, "predictions": predictions} {
			d := graphs.Gradients(loss, source, target)
			g.Output(name, loss)
			g.Output(name+"/source", d[0])
			g.Output(name+"/target", d[1])
		}
		g.Output("smooth", smooth)
		g.Output("smooth/source", graphs.Gradients(smooth, source)[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func associationOperands(a float64, source, target float64) map[string]graphtest.Array {
	in := map[string]graphtest.Array{"source": sines(a, source, 2, 3, 3, 4), "target": sines(a, target, 2, 3, 2, 3), "labels": graphtest.New(2, 12), "valid": graphtest.New(2, 12)}
	for i := range 24 {
		if i%7 != 3 {
			in["labels"].Data[i], in["valid"].Data[i] = float64(i/4%2), 1
		}
	}
	return in
}

// The losses and their gradients as PyTorch 2 has them, in float64, by running PLCA's public
// AssociationLoss (metrics cos and kl, α = 0.5) and LSR (threshold 10) on maps of sines.
func TestAssociationEqualsPyTorch(t *testing.T) {
	g := buildAssociation(t)
	for _, k := range []struct {
		name                       string
		amplitude, source, target  float64
		loss                       float64
		sourceGradient, targetGrad map[int]float64
	}{
		{
			"features", 1, 1, 2, 2.265183368285238,
			map[int]float64{0: -0.022697432233677733, 20: -0.004736993861604685, 60: 0.005447782501780421},
			map[int]float64{1: 0.030113016610495258, 17: 0.022066220345801864, 35: 0.06319205335935806},
		},
		{
			"predictions", 2, 3, 4, 2.4086214656580984,
			map[int]float64{0: -0.010760674422531943, 20: 0.013527616774579502, 60: 0.009347728978737422},
			map[int]float64{1: 0.048768580846278387, 17: 0.01038349791104885, 35: 0.012203567455865335},
		},
		{"smooth", 3, 5, 0, -1.9263501591685335, map[int]float64{0: 0.009688377131264476, 40: -0.018890652636882332}, nil},
	} {
		out := graphtest.Run(g, associationOperands(k.amplitude, k.source, k.target))
		near(t, k.name, out[k.name].Data[0], k.loss, 1e-6)
		for at, want := range k.sourceGradient {
			near(t, fmt.Sprint(k.name, " by source ", at), out[k.name+"/source"].Data[at], want, 1e-6)
		}
		for at, want := range k.targetGrad {
			near(t, fmt.Sprint(k.name, " by target ", at), out[k.name+"/target"].Data[at], want, 1e-6)
		}
	}
}

// Two positions of two classes, and as many targets that look like them: both cycles close, and
// each step has the softmax of ±1/√2, which is what two numbers are once they are normalised. With
// one class of labels void, its cycle does not count; where nothing counts, the loss is 0.
func TestAssociationByHand(t *testing.T) {
	g, err := graphs.Build("cycles", func(g *graphs.Graph) {
		x := g.Floats([]float32{1, 0, 0, 1}, 1, 2, 1, 2)
		labels, valid := g.Input("labels", graphs.Int64, 1, 2), g.Input("valid", graphs.Float32, 1, 2)
		g.Output("loss", Association{Source: x, Target: x, Labels: labels, Valid: valid}.Features())
	})
	if err != nil {
		t.Fatal(err)
	}
	step := math.Log(1 + math.Exp(-math.Sqrt2))
	for _, k := range []struct {
		valid []float64
		want  float64
	}{{[]float64{1, 1}, 2 * step}, {[]float64{1, 0}, 2 * step}, {[]float64{0, 0}, 0}} {
		out := graphtest.Run(g, map[string]graphtest.Array{
			"labels": {Shape: graphs.Shape{1, 2}, Data: []float64{0, 1}}, "valid": {Shape: graphs.Shape{1, 2}, Data: k.valid},
		})
		near(t, fmt.Sprint(k.valid), out["loss"].Data[0], k.want, 1e-6)
	}
}

// Both source positions go to the one target position, and from there to the first. Where that is
// void, written as class 0, the second one's cycle does not end in its own class 0, and the
// first one's did not begin in any.
func TestAssociationEndsOnVoid(t *testing.T) {
	g, err := graphs.Build("void", func(g *graphs.Graph) {
		source := g.Floats([]float32{1, 1, 0, 0.5}, 1, 2, 1, 2)
		target := g.Param("target", 1, 2, 1, 1)
		labels, valid := g.Input("labels", graphs.Int64, 1, 2), g.Input("valid", graphs.Float32, 1, 2)
		loss := Association{Source: source, Target: target, Labels: labels, Valid: valid}.Features()
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, target)[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		valid []float64
		none  bool
	}{{[]float64{0, 1}, true}, {[]float64{1, 1}, false}} {
		out := graphtest.Run(g, map[string]graphtest.Array{
			"target": {Shape: graphs.Shape{1, 2, 1, 1}, Data: []float64{1, -1}},
			"labels": graphtest.New(1, 2), "valid": {Shape: graphs.Shape{1, 2}, Data: k.valid},
		})
		if loss := out["loss"].Data[0]; (loss == 0) != k.none {
			t.Errorf("valid %v: loss %g", k.valid, loss)
		}
		if d := out["gradient"].Data; k.none && (d[0] != 0 || d[1] != 0) {
			t.Errorf("valid %v: gradient %v", k.valid, d)
		}
	}
}

// A target image of one colour, but for rounding, offers no choice to the steps that go there,
// which have the softmax of equals, and gradients stay as small as elsewhere.
func TestAssociationOfOneColour(t *testing.T) {
	g, in := buildAssociation(t), associationOperands(1, 1, 2)
	for i := range in["target"].Data {
		in["target"].Data[i] = float64(i/6%3) + 1e-7*float64(i%6)
	}
	out := graphtest.Run(g, in)
	for _, name := range []string{"features", "predictions"} {
		if loss := out[name].Data[0]; !(loss >= 0 && loss < 10) {
			t.Errorf("%s: loss %g", name, loss)
		}
	}
	for _, of := range []string{"features/source", "features/target", "predictions/source", "predictions/target"} {
		for i, d := range out[of].Data {
			if math.Abs(d) > 1 {
				t.Fatalf("the gradient %s %d is %g", of, i, d)
			}
		}
	}
}

// The order of a target's positions is of no matter, but the map's own.
func TestAssociationOfAnotherOrder(t *testing.T) {
	g, in := buildAssociation(t), associationOperands(1, 1, 2)
	before := graphtest.Run(g, in)["features"].Data[0]
	moved := in["target"].Clone()
	for i := range moved.Data {
		moved.Data[i] = in["target"].Data[i/6*6+(i+2)%6]
	}
	in["target"] = moved
	near(t, "loss", graphtest.Run(g, in)["features"].Data[0], before, 1e-9)
}

func TestAssociationRefusesOtherShapes(t *testing.T) {
	for want, build := range map[string]func(g *graphs.Graph){
		"want maps [N,D,h,w]": func(g *graphs.Graph) {
			Association{g.Param("s", 1, 2, 2, 2), g.Param("t", 1, 2, 2, 2), g.Input("l", graphs.Int64, 1, 3), g.Param("v", 1, 4), 0}.Features()
		},
		"want logits [N,C,h,w]": func(g *graphs.Graph) { Smoothness(g.Param("l", 2, 3), 10) },
	} {
		if _, err := graphs.Build("wrong", build); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
