package export

import (
	"fmt"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/graphs"
	"t2sda/graphs/nets"
)

// imageInput is the name of a model's input; its output is called by its kind.
const imageInput = "image"

// ModelOptions say what [Build] makes.
type ModelOptions struct {
	Arch   nets.Arch
	Space  datasets.Space // the classes, one per channel of the logits
	Width  int            // of the input, pixels; fixed, as the graph's shapes are static
	Height int            // likewise
	Input  string         // predict.InputFloat32 (also if empty) or predict.InputUint8
	Output string         // predict.OutputLogits (also if empty) or predict.OutputLabels
	Info   predict.ModelInfo
}

func (o ModelOptions) withDefaults() ModelOptions {
	if o.Input == "" {
		o.Input = predict.InputFloat32
	}
	if o.Output == "" {
		o.Output = predict.OutputLogits
	}
	return o
}

// validate returns an error that names the field at fault.
func (o ModelOptions) validate() error {
	least, err := o.Arch.MinSize() // validates
	if err != nil {
		return fmt.Errorf("architecture: %w", err)
	}
	if err := o.Space.Validate(); err != nil {
		return fmt.Errorf("classes: %w", err)
	}
	switch {
	case len(o.Space.Classes) != o.Arch.Classes:
		return fmt.Errorf("classes: %q has %d, the network has %d", o.Space.Name, len(o.Space.Classes), o.Arch.Classes)
	case o.Width < least || o.Height < least:
		return fmt.Errorf("size %d×%d: %s needs at least %d×%d pixels", o.Width, o.Height, o.Arch.Encoder, least, least)
	case o.Input != predict.InputFloat32 && o.Input != predict.InputUint8:
		return fmt.Errorf("input %q is neither %s nor %s", o.Input, predict.InputFloat32, predict.InputUint8)
	case o.Output != predict.OutputLogits && o.Output != predict.OutputLabels:
		return fmt.Errorf("output %q is neither %s nor %s", o.Output, predict.OutputLogits, predict.OutputLabels)
	}
	return nil
}

// metadata describes the model that the options make.
func (o ModelOptions) metadata() predict.Metadata {
	return predict.Metadata{
		ModelInfo: o.Info, Space: o.Space,
		Inside:       predict.Normalization{Mean: o.Arch.Mean, Std: o.Arch.Std},
		Architecture: predict.Architecture{Encoder: o.Arch.Encoder, Head: o.Arch.Head, HeadWidth: o.Arch.HeadWidth},
		Input:        predict.InputInfo{Name: imageInput, Type: o.Input, Width: o.Width, Height: o.Height, Layout: "nchw", Colour: "rgb", Scale: 255},
		Output:       predict.OutputInfo{Name: o.Output, Kind: o.Output},
	}
}

// Build returns the network as one ONNX model for one image size: input "image"
// [1,3,Height,Width], RGB 0–255; normalisation, network under running
// statistics, bilinear resize of the logits to the input's size; output "logits"
// or "labels". The model describes itself, see
// [predict.Metadata], and bears a digest, see [Intact].
//
// weights gives parameters and running statistics by the names of
// [nets.Arch.Params] and [nets.Arch.Buffers].
func Build(o ModelOptions, weights func(name string) ([]float32, error)) ([]byte, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	props, err := o.metadata().Encode()
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	g, err := graphs.Build("t2sda", func(g *graphs.Graph) {
		var pixels *graphs.Value
		if o.Input == predict.InputUint8 {
			pixels = g.Cast(g.Input(imageInput, graphs.Uint8, 1, 3, o.Height, o.Width), graphs.Float32)
		} else {
			pixels = g.Input(imageInput, graphs.Float32, 1, 3, o.Height, o.Width)
		}
		n := nets.New(g, o.Arch, nets.Deploy, weights)
		logits := g.Resize(n.Logits(pixels), o.Height, o.Width, "linear")
		if o.Output == predict.OutputLabels {
			g.Output(predict.OutputLabels, g.Cast(g.ArgMax(logits, 1, false), graphs.Uint8))
		} else {
			g.Output(predict.OutputLogits, logits)
		}
		for key, value := range props {
			g.SetMetadata(key, value)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	model, err := g.Marshal()
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return sealed(model), nil
}
