package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/graphs"
	"t2sda/graphs/nets"
)

// imageInput is the name of a model's input; its outputs are called by what they are.
const imageInput = "image"

// ModelOptions say what [Build] makes.
type ModelOptions struct {
	Arch   nets.Arch
	Space  datasets.Space // the classes, one per channel of the logits
	Width  int            // of the input, pixels; fixed, unless Dynamic
	Height int            // likewise
	// Windows of Width×Height that images go through the model in; zero: images are brought
	// to that size.
	Windows predict.Windows
	Form
	Info predict.ModelInfo
}

// Form says what a model takes and gives.
type Form struct {
	Input   string   // element type: predict.InputFloat32 (also if empty) or predict.InputUint8
	Layout  string   // predict.NCHW (also if empty) or predict.NHWC
	Outside bool     // a float32 input comes normalised; otherwise it is 0–255, and normalised inside
	Outputs []string // of [predict.Outputs]; none: predict.OutputLogits
	Dynamic bool     // batch, height and width are free; Width and Height are not looked at
	Opset   int      // version of ONNX's operators, from 17 to 23; 0: 17
}

// The inputs that [Form.SetInput] knows.
const (
	Uint8NHWC = "uint8-nhwc" // as images lie in memory
	Uint8NCHW = "uint8-nchw"
	FloatNCHW = "float-nchw" // normalised by whoever feeds it
)

// Inputs lists them.
func Inputs() []string { return []string{Uint8NHWC, Uint8NCHW, FloatNCHW} }

// SetInput takes an input by its name.
func (f *Form) SetInput(name string) error {
	switch name {
	case Uint8NHWC:
		f.Input, f.Layout, f.Outside = predict.InputUint8, predict.NHWC, false
	case Uint8NCHW:
		f.Input, f.Layout, f.Outside = predict.InputUint8, predict.NCHW, false
	case FloatNCHW:
		f.Input, f.Layout, f.Outside = predict.InputFloat32, predict.NCHW, true
	default:
		return fmt.Errorf("input %q does not exist; there are %s", name, strings.Join(Inputs(), ", "))
	}
	return nil
}

func (o ModelOptions) withDefaults() ModelOptions {
	if o.Input == "" {
		o.Input = predict.InputFloat32
	}
	if o.Layout == "" {
		o.Layout = predict.NCHW
	}
	if len(o.Outputs) == 0 {
		o.Outputs = []string{predict.OutputLogits}
	}
	if o.Opset == 0 {
		o.Opset = graphs.Opset
	}
	if o.Dynamic {
		o.Width, o.Height = 0, 0
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
	case !o.Dynamic && (o.Width < least || o.Height < least):
		return fmt.Errorf("size %d×%d: %s needs at least %d×%d pixels", o.Width, o.Height, o.Arch.Encoder, least, least)
	case o.Dynamic && o.Arch.HasDetails():
		return errors.New("a free size: the details of a network of two resolutions (HRDA) are cut out of an image of fixed size: give width and height, or none")
	case o.Input != predict.InputFloat32 && o.Input != predict.InputUint8:
		return fmt.Errorf("input %q is neither %s nor %s", o.Input, predict.InputFloat32, predict.InputUint8)
	case o.Layout != predict.NCHW && o.Layout != predict.NHWC:
		return fmt.Errorf("layout %q is neither %s nor %s", o.Layout, predict.NCHW, predict.NHWC)
	case o.Outside && o.Input != predict.InputFloat32:
		return fmt.Errorf("input %s cannot come normalised: that needs %s", o.Input, predict.InputFloat32)
	}
	if err := o.Arch.CheckDetails(o.Width, o.Height); err != nil {
		return fmt.Errorf("size: %w", err)
	}
	return o.checkOutputs()
}

func (o ModelOptions) checkOutputs() error {
	for i, name := range o.Outputs {
		if _, err := predict.ParseOutput(name); err != nil {
			return err
		}
		if slices.Contains(o.Outputs[:i], name) {
			return fmt.Errorf("output %s is named twice", name)
		}
	}
	return nil
}

// metadata describes the model that the options make.
func (o ModelOptions) metadata() predict.Metadata {
	m := predict.Metadata{
		ModelInfo: o.Info, Space: o.Space,
		Inside:       predict.Normalization{Mean: o.Arch.Mean, Std: o.Arch.Std},
		Outside:      predict.NoNormalization,
		Architecture: predict.Architecture{Encoder: o.Arch.Encoder, Head: o.Arch.Head, HeadWidth: o.Arch.HeadWidth, Detail: [2]int{o.Arch.DetailWidth, o.Arch.DetailHeight}},
		Windows:      o.Windows,
		Input:        predict.InputInfo{Name: imageInput, Type: o.Input, Width: o.Width, Height: o.Height, Layout: o.Layout, Colour: "rgb", Scale: 255},
	}
	if o.Outside {
		m.Inside, m.Outside = m.Outside, m.Inside
	}
	for _, name := range o.Outputs {
		out, _ := predict.ParseOutput(name) // which validate tries
		m.Outputs = append(m.Outputs, predict.OutputInfo{Name: name, Kind: out.Kind})
	}
	m.Output = predict.Best(m.Outputs)
	return m
}

// Build returns the network as one ONNX model: input "image" [1,3,Height,Width], RGB 0–255, or as
// the options have it; normalisation, network under running statistics, bilinear resize of the
// logits to the input's size; outputs "logits", "labels" and so on. The model describes itself, see
// [predict.Metadata], and bears a digest, see [Intact].
//
// weights gives parameters and running statistics by the names of
// [nets.Arch.Params] and [nets.Arch.Buffers].
func Build(o ModelOptions, weights func(name string) ([]float32, error)) ([]byte, error) {
	g, err := Graph(o, weights)
	if err != nil {
		return nil, err
	}
	return Encode(g, o)
}

// Graph is the model of [Build] before it is written: what is done to it as a graph (constants
// folded, say) comes between Graph and [Encode].
func Graph(o ModelOptions, weights func(name string) ([]float32, error)) (*graphs.Graph, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return o.graph(weights, example)
}

// Encode writes a graph of the options as a model with its metadata and its digest.
func Encode(g *graphs.Graph, o ModelOptions) ([]byte, error) {
	o = o.withDefaults()
	props, err := o.metadata().Encode()
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	for key, value := range props {
		g.SetMetadata(key, value)
	}
	model, err := g.MarshalAs(o.Opset)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return sealed(model), nil
}
