// Package fit tells graphs/weights which tensors the networks of graphs/nets have:
// what a file is compared with.
package fit

import (
	"fmt"
	"slices"
	"strings"

	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
)

// Tensors lists all tensors of a network: trained parameters in the order of their
// arena, then what of a fixed encoder is not trained, then running statistics.
func Tensors(a nets.Arch) ([]weights.Info, error) {
	params, err := a.Params()
	if err != nil {
		return nil, err
	}
	fixed, err := a.Fixed()
	if err != nil {
		return nil, err
	}
	buffers, err := a.Buffers()
	if err != nil {
		return nil, err
	}
	var all []weights.Info
	for _, p := range slices.Concat(params, fixed) {
		all = append(all, weights.Info{Name: p.Name, Shape: p.Shape})
	}
	for _, b := range buffers {
		all = append(all, weights.Info{Name: b.Name, Shape: []int{b.Len}})
	}
	return all, nil
}

// Encoder lists the tensors of the encoder called name, with the stem where it has a
// choice (empty: its own).
func Encoder(name, stem string) ([]weights.Info, error) {
	// The head does not matter, but DeepLabV2's takes any levels and asks for no width.
	all, err := Tensors(nets.Arch{Encoder: name, Stem: stem, Head: "deeplabv2", Classes: 1, Std: [3]float32{1, 1, 1}})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(t weights.Info) bool { return !weights.IsEncoder(t) }), nil
}

// Encoders lists all encoders with their tensors. Those with a choice of stems stand
// there once for each, by the name of encoder and setting.
func Encoders() []weights.Network {
	var all []weights.Network
	for _, name := range nets.Encoders() {
		tensors, err := Encoder(name, "")
		if err != nil {
			panic(fmt.Sprintf("encoder %s: %v", name, err)) // a mistake in package nets
		}
		all = append(all, weights.Network{Name: name, Tensors: tensors})
		if plain, err := Encoder(name, nets.StemPlain); err == nil {
			all = append(all, weights.Network{Name: name + stemSetting + nets.StemPlain, Tensors: plain})
		}
	}
	return all
}

// stemSetting comes between the names of an encoder and of its stem.
const stemSetting = " model.stem="

// Split returns encoder and stem of a name that [Encoders] gives.
func Split(name string) (encoder, stem string) {
	encoder, stem, _ = strings.Cut(name, stemSetting)
	return encoder, stem
}
