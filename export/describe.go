package export

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"t2sda/export/predict"
	"t2sda/internal/sha256sum"
)

// DescriptionFormat begins every [Description].
const DescriptionFormat = "t2sda model 1"

// Description is what lies beside a model as JSON: what the model says of itself, and its digest.
type Description struct {
	Format string `json:"format"`
	File   string `json:"file"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
	Opset  int    `json:"opset"`

	Input   DescribedInput   `json:"input"`
	Outputs []DescribedValue `json:"outputs"`
	Classes []DescribedClass `json:"classes"`
	Space   string           `json:"label_space"`

	Architecture predict.Architecture `json:"architecture"`
	Data         map[string]string    `json:"data,omitempty"`
	ConfigHash   string               `json:"config_hash,omitempty"`
	MIoU         *float64             `json:"miou,omitempty"`
	IoU          map[string]float64   `json:"iou,omitempty"`
	Licence      string               `json:"licence,omitempty"`
	Verified     Verified             `json:"verified"`
	Version      string               `json:"t2sda_version"`
}

// DescribedInput is the image.
type DescribedInput struct {
	DescribedValue
	Layout string `json:"layout"`
	Colour string `json:"colour"`
	Scale  int    `json:"scale"` // value of full brightness, before normalisation

	// Windows say how images larger than the input go through the model, see [predict.Windows].
	Windows *predict.Windows `json:"windows,omitempty"`

	// Normalization is for who feeds it: (value − mean) / std. Inside is what the model does then.
	Normalization predict.Normalization `json:"normalization"`
	Inside        predict.Normalization `json:"normalization_inside"`
}

// DescribedValue is an input or output. Dimensions are numbers, or names where they are free.
type DescribedValue struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []any  `json:"shape"`
}

// DescribedClass is a channel, or an id.
type DescribedClass struct {
	Name   string   `json:"name"`
	Colour [3]uint8 `json:"colour"`
}

// Verified says on what the model was compared with the training network, and how it agreed.
type Verified struct {
	Images  string    `json:"images"` // in words
	Sizes   [][2]int  `json:"sizes"`  // width, height
	Outputs []Checked `json:"outputs"`
	// Precision is set where the model was made of the one that was compared: by fewer bits.
	Precision *Precision `json:"precision,omitempty"`
}

// Precision says what a model of fewer bits has of the float32 one.
type Precision struct {
	Name        string    `json:"name"`                   // fp16 or int8
	Calibration string    `json:"calibration,omitempty"`  // in words
	KeptFloat32 []string  `json:"kept_float32,omitempty"` // nodes
	Images      int       `json:"images"`                 // of the evaluation split, that it was measured on
	Labels      Agreement `json:"labels"`                 // with the float32 model
	MIoUBefore  *float64  `json:"miou_float32,omitempty"` // on those images
	MIoU        *float64  `json:"miou,omitempty"`
}

// Describe describes a model that o made and that lies, or shall lie, at path.
func Describe(path string, model []byte, o ModelOptions, v Verified) Description {
	o = o.withDefaults()
	m := o.metadata()
	d := Description{
		Format: DescriptionFormat, File: filepath.Base(path), Bytes: len(model), SHA256: sha256sum.Of(model), Opset: o.Opset,
		Input: DescribedInput{
			DescribedValue: DescribedValue{m.Input.Name, m.Input.Type, o.shape(3, axisHeight, axisWidth, o.Layout)},
			Layout:         m.Input.Layout, Colour: m.Input.Colour, Scale: m.Input.Scale, Normalization: m.Outside, Inside: m.Inside,
		},
		Space: o.Space.Name, Architecture: m.Architecture, Data: o.Info.Data, ConfigHash: o.Info.ConfigHash,
		MIoU: o.Info.MIoU, IoU: o.Info.IoU, Licence: o.Info.Licence, Verified: v, Version: o.Info.Version,
	}
	if o.Windows != (predict.Windows{}) {
		d.Input.Windows = &o.Windows
	}
	for _, out := range m.Outputs {
		d.Outputs = append(d.Outputs, o.described(out))
	}
	for _, c := range o.Space.Classes {
		d.Classes = append(d.Classes, DescribedClass{c.Name, c.Color})
	}
	return d
}

func (o ModelOptions) described(out predict.OutputInfo) DescribedValue {
	h, w, channels := axisHeight, axisWidth, len(o.Space.Classes)
	if strings.HasSuffix(out.Name, predict.StrideSuffix) {
		h, w = axisRows, axisColumns
	}
	t := predict.InputFloat32
	switch out.Kind {
	case predict.OutputLabels:
		t, channels = predict.InputUint8, 0
	case predict.OutputLabels64:
		t, channels = "int64", 0
	case predict.OutputConfidence:
		channels = 0
	}
	return DescribedValue{out.Name, t, o.shape(channels, h, w, predict.NCHW)}
}

// shape lists dimensions; 0 channels: there is no such axis.
func (o ModelOptions) shape(channels int, h, w, layout string) []any {
	s := []any{axisBatch, h, w}
	if !o.Dynamic {
		s[0] = 1
		if h == axisHeight {
			s[1], s[2] = o.Height, o.Width
		}
	}
	switch {
	case channels == 0:
		return s
	case layout == predict.NHWC:
		return append(s, channels)
	}
	return []any{s[0], channels, s[1], s[2]}
}

// Beside returns the names of what lies beside a model: its description and its card.
func Beside(model string) (description, card string) {
	stem := strings.TrimSuffix(model, filepath.Ext(model))
	return stem + ".json", stem + ".md"
}

// JSON returns the description as a file.
func (d Description) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(d, "", "  ")
	return append(text, '\n'), err
}

// ParseDescription reads a description. ok is false for other JSON.
func ParseDescription(text []byte) (d Description, ok bool) {
	err := json.Unmarshal(text, &d)
	return d, err == nil && d.Format == DescriptionFormat
}
