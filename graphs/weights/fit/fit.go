// Package fit tells graphs/weights which tensors the networks of graphs/nets have:
// what a file is compared with.
package fit

import (
	"fmt"
	"strings"

	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
)

// encoderPrefix begins the names of an encoder's tensors.
const encoderPrefix = "backbone."

// IsEncoder reports whether a tensor is one of the encoder's.
func IsEncoder(t weights.Info) bool { return strings.HasPrefix(t.Name, encoderPrefix) }

// Tensors lists all tensors of a network: parameters in the order of their arena,
// then running statistics.
func Tensors(a nets.Arch) ([]weights.Info, error) {
	params, err := a.Params()
	if err != nil {
		return nil, err
	}
	buffers, err := a.Buffers()
	if err != nil {
		return nil, err
	}
	var all []weights.Info
	for _, p := range params {
		all = append(all, weights.Info{Name: p.Name, Shape: p.Shape})
	}
	for _, b := range buffers {
		all = append(all, weights.Info{Name: b.Name, Shape: []int{b.Len}})
	}
	return all, nil
}

// Encoder lists the tensors of the encoder called name.
func Encoder(name string) ([]weights.Info, error) {
	var fault error
	for _, head := range nets.Heads() { // some head takes its levels
		all, err := Tensors(nets.Arch{Encoder: name, Head: head, Classes: 1, HeadWidth: 1, Std: [3]float32{1, 1, 1}})
		if err != nil {
			fault = err
			continue
		}
		var own []weights.Info
		for _, t := range all {
			if IsEncoder(t) {
				own = append(own, t)
			}
		}
		return own, nil
	}
	return nil, fault
}

// Encoders lists all encoders with their tensors.
func Encoders() []weights.Network {
	var all []weights.Network
	for _, name := range nets.Encoders() {
		tensors, err := Encoder(name)
		if err != nil {
			panic(fmt.Sprintf("encoder %s: %v", name, err)) // a mistake in package nets
		}
		all = append(all, weights.Network{Name: name, Tensors: tensors})
	}
	return all
}
