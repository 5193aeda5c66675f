package nets

import (
	"fmt"
	"slices"
)

// What of an encoder is trained: all of it, nothing, or low-rank adapters of its attention (LoRA,
// Hu et al., 2021). Whatever else it has is then fixed: declared like a parameter, and no input of
// the gradient. Layers do not know.

// EncoderTrain's values.
const (
	// TrainAll: every parameter of the encoder is trained.
	TrainAll = "all"
	// TrainFrozen: none is. Batch norms take running statistics, and there is no stochastic depth.
	TrainFrozen = "frozen"
	// TrainLoRA: the adapters are, W + (α/r)·B·A of queries and values, A [r,in], B [out,r].
	TrainLoRA = "lora"
)

// attentive is an encoder with queries and values, which adapters are for.
type attentive interface{ attends() }

// checkTrain refuses what the encoder e cannot be trained by.
func (a Arch) checkTrain(e encoder) error {
	if err := oneOf("encoder_train", a.EncoderTrain, TrainAll, TrainFrozen, TrainLoRA); err != nil {
		return err
	}
	if a.EncoderTrain != TrainLoRA {
		if a.LoRARank != 0 || a.LoRAAlpha != 0 {
			return fmt.Errorf("LoRA has rank %d and alpha %g: they need encoder_train %s", a.LoRARank, a.LoRAAlpha, TrainLoRA)
		}
		return nil
	}
	if _, ok := e.(attentive); !ok {
		return fmt.Errorf("it has no queries and values for LoRA to adapt: take encoder_train %s or %s", TrainAll, TrainFrozen)
	}
	if a.LoRARank < 1 || !(a.LoRAAlpha > 0) {
		return fmt.Errorf("LoRA has rank %d and alpha %g, want at least 1 and more than 0", a.LoRARank, a.LoRAAlpha)
	}
	return nil
}

// fixesEncoder reports whether the encoder's own tensors are not trained.
func (a Arch) fixesEncoder() bool {
	return a.EncoderTrain == TrainFrozen || a.EncoderTrain == TrainLoRA
}

// fixes reports whether what is declared now is not trained.
func (n *Net) fixes() bool { return n.group == Encoder && n.arch.fixesEncoder() }

// adapter is the low-rank change of some rows of a weight.
type adapter struct {
	weight   string // that it is added to
	row      int    // the first of its rows
	down, up string // A [r,in], B [out,r]
	out, in  int
}

// adapted adds to a layer's output y [N,out,L], of tokens x [N,L,in], what its adapter makes of
// them; without LoRA it returns y. The layer's weights are the rows from row on of weight. A starts
// uniform within ±1/√in, B at 0, as in the public code, so the network starts as it was.
func (n *Net) adapted(y, x *value, name string, weight tensor, row int) *value {
	if n.arch.EncoderTrain != TrainLoRA {
		return y
	}
	out, in, r := y.Dim(1), x.Dim(2), n.arch.LoRARank
	a := adapter{weight.name, row, name + ".lora_A.weight", name + ".lora_B.weight", out, in}
	if _, known := n.declared[a.down]; !known {
		n.adapters = append(n.adapters, a)
	}
	down, up := n.trained(a.down, true, defaultLinear(in), r, in), n.trained(a.up, true, fill(0), out, r)
	low := n.product(down.value(), x, false, true, 1) // [N,r,L]
	return n.g.Add(y, n.product(up.value(), low, false, false, n.arch.loraScale()))
}

// loraScale is α/r.
func (a Arch) loraScale() float32 { return float32(a.LoRAAlpha / float64(a.LoRARank)) }

// Deployed returns the network without a trace of how its encoder was trained, and its weights:
// those of weights, with adapters added to what they adapt.
func (a Arch) Deployed(weights func(name string) ([]float32, error)) (Arch, func(name string) ([]float32, error), error) {
	plain := a
	plain.EncoderTrain, plain.LoRARank, plain.LoRAAlpha = "", 0, 0
	if err := a.Validate(); err != nil || a.EncoderTrain != TrainLoRA {
		return plain, weights, err
	}
	n, err := declare(a, encoders[a.Encoder])
	if err != nil {
		return plain, nil, err
	}
	return plain, n.merged(weights), nil
}

// merged returns weights with n's adapters added to what they adapt.
func (n *Net) merged(weights func(name string) ([]float32, error)) func(name string) ([]float32, error) {
	adapters := map[string][]adapter{}
	for _, a := range n.adapters {
		adapters[a.weight] = append(adapters[a.weight], a)
	}
	return func(name string) ([]float32, error) {
		data, err := weights(name)
		if err != nil || adapters[name] == nil {
			return data, err
		}
		data = slices.Clone(data)
		for _, a := range adapters[name] {
			down, err := weights(a.down)
			if err != nil {
				return nil, err
			}
			up, err := weights(a.up)
			if err != nil {
				return nil, err
			}
			a.addTo(data, down, up, n.arch.loraScale())
		}
		return data, nil
	}
}

// addTo adds scale·up·down to the adapter's rows of a weight.
func (a adapter) addTo(weight, down, up []float32, scale float32) {
	r := len(up) / a.out
	for o := range a.out {
		row := weight[(a.row+o)*a.in : (a.row+o+1)*a.in]
		for i := range row {
			sum := 0.0
			for k := range r {
				sum += float64(up[o*r+k]) * float64(down[k*a.in+i])
			}
			row[i] += float32(float64(scale) * sum)
		}
	}
}
