package predict

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"t2sda/datasets"
)

// Element types of a model's input.
const (
	InputFloat32 = "float32"
	InputUint8   = "uint8"
)

// ModelInfo is what only the trainer knows about a model. Zero values are left
// out of the file.
type ModelInfo struct {
	Version    string   // of t2sda
	ConfigHash string   // of the training configuration
	CropW      int      // training crop, pixels
	CropH      int      // likewise
	MIoU       *float64 // on the target domain's validation split, 0–1; nil: not measured

	IoU     map[string]float64 // likewise, by class; nil: not measured
	Data    map[string]string  // what it was trained and scored on, in words, by "source", "target", "eval"
	Licence string             // of the weights that training began with
}

// Metadata is what a model file says about itself, in ONNX's metadata_props.
// Keys: t2sda_version, config_hash, crop, miou, iou, data, licence, label_space, class_names,
// palette, mean, std, normalization_inside, architecture, input, output, where there are
// several, outputs, and where images are more than one input, windows. Structured values are JSON.
//
// mean and std are what the *input* wants: 0 and 1, so that whoever applies them changes
// nothing, unless the input is to come normalised. What the model does with its input by itself is
// normalization_inside; files from before that key have it in mean and std.
type Metadata struct {
	ModelInfo
	Space        datasets.Space
	Inside       Normalization // done by the model
	Outside      Normalization // wanted of who feeds it
	Architecture Architecture
	Input        InputInfo
	Output       OutputInfo   // that predictions are made of
	Outputs      []OutputInfo // all
	Windows      Windows
}

// Normalization is (value − mean) / std per channel, RGB, of values 0–255.
type Normalization struct {
	Mean [3]float32 `json:"mean"`
	Std  [3]float32 `json:"std"`
}

// NoNormalization changes nothing.
var NoNormalization = Normalization{Std: [3]float32{1, 1, 1}}

// Architecture names the network.
type Architecture struct {
	Encoder   string `json:"encoder"`
	Head      string `json:"head"`
	HeadWidth int    `json:"head_width"`
	Detail    [2]int `json:"detail,omitzero"` // width and height, px, of HRDA's details
}

// InputInfo describes the image that a model takes: [1,3,Height,Width], or with layout nhwc
// [1,Height,Width,3], RGB, values 0–255 before [Metadata.Outside]. Without width and height any
// number of images of any size.
type InputInfo struct {
	Name   string `json:"name"`
	Type   string `json:"type"` // float32 or uint8
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Layout string `json:"layout"` // nchw or nhwc
	Colour string `json:"colour"` // rgb
	Scale  int    `json:"scale"`  // value of full brightness
}

// OutputInfo describes what a model gives, see [OutputLogits] and the others.
type OutputInfo struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// Encode returns the metadata as ONNX key-value pairs.
func (m Metadata) Encode() (map[string]string, error) {
	palette := make([][3]uint8, len(m.Space.Classes))
	for i, c := range m.Space.Classes {
		palette[i] = c.Color
	}
	structured := map[string]any{
		"class_names": m.Space.Names(), "palette": palette,
		"mean": m.Outside.Mean, "std": m.Outside.Std, "normalization_inside": m.Inside,
		"architecture": m.Architecture, "input": m.Input, "output": m.Output,
	}
	if len(m.Outputs) > 1 {
		structured["outputs"] = m.Outputs
	}
	if m.Windows != (Windows{}) {
		structured["windows"] = m.Windows
	}
	if len(m.IoU) > 0 {
		structured["iou"] = m.IoU
	}
	if len(m.Data) > 0 {
		structured["data"] = m.Data
	}
	if m.CropW != 0 {
		structured["crop"] = [2]int{m.CropW, m.CropH}
	}
	if m.MIoU != nil && !math.IsNaN(*m.MIoU) {
		structured["miou"] = *m.MIoU
	}
	props := map[string]string{}
	for key, value := range structured {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("model metadata %s: %w", key, err)
		}
		props[key] = string(text)
	}
	for key, value := range map[string]string{"t2sda_version": m.Version, "config_hash": m.ConfigHash, "label_space": m.Space.Name, "licence": m.Licence} {
		if value != "" {
			props[key] = value
		}
	}
	return props, nil
}

// errForeign is returned for models that t2sda did not write.
var errForeign = errors.New("no metadata of t2sda (class_names, input, output): the model was not exported by it")

// ParseMetadata reads what [Metadata.Encode] wrote. Errors name the key.
func ParseMetadata(props map[string]string) (Metadata, error) {
	var (
		m       Metadata
		names   []string
		palette [][3]uint8
		crop    [2]int
		miou    *float64
		iou     map[string]float64
		data    map[string]string
	)
	if props["class_names"] == "" && props["input"] == "" && props["output"] == "" {
		return m, errForeign
	}
	m.Outside = NoNormalization
	for _, f := range []struct {
		key      string
		into     any
		required bool
	}{
		{"class_names", &names, true},
		{"palette", &palette, true},
		{"input", &m.Input, true},
		{"output", &m.Output, true},
		{"outputs", &m.Outputs, false},
		{"windows", &m.Windows, false},
		{"mean", &m.Outside.Mean, false},
		{"std", &m.Outside.Std, false},
		{"normalization_inside", &m.Inside, false},
		{"architecture", &m.Architecture, false},
		{"crop", &crop, false},
		{"miou", &miou, false},
		{"iou", &iou, false},
		{"data", &data, false},
	} {
		text, ok := props[f.key]
		if !ok {
			if f.required {
				return m, fmt.Errorf("model metadata: %s is missing", f.key)
			}
			continue
		}
		if err := json.Unmarshal([]byte(text), f.into); err != nil {
			return m, fmt.Errorf("model metadata: %s is %q: %w", f.key, text, err)
		}
	}
	if _, ok := props["normalization_inside"]; !ok { // a file from before that key
		m.Inside, m.Outside = m.Outside, NoNormalization
	}
	if len(m.Outputs) == 0 {
		m.Outputs = []OutputInfo{m.Output}
	}
	if !slices.Contains(m.Outputs, m.Output) {
		return m, fmt.Errorf("model metadata: outputs lack output %q", m.Output.Name)
	}
	if len(palette) != len(names) {
		return m, fmt.Errorf("model metadata: palette has %d colours for %d class_names", len(palette), len(names))
	}
	if err := m.Windows.validate(); err != nil {
		return m, err
	}
	m.Space.Name = props["label_space"]
	for i, name := range names {
		m.Space.Classes = append(m.Space.Classes, datasets.Class{Name: name, Color: palette[i]})
	}
	if err := m.Space.Validate(); err != nil {
		return m, fmt.Errorf("model metadata: class_names: %w", err)
	}
	m.ModelInfo = ModelInfo{Version: props["t2sda_version"], ConfigHash: props["config_hash"], CropW: crop[0], CropH: crop[1], MIoU: miou, IoU: iou, Data: data, Licence: props["licence"]}
	return m, nil
}
