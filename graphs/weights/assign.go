package weights

import (
	"fmt"
	"slices"
)

// Assign copies tensors into those of dst that have the same name. source (a file,
// usually) begins every error: a tensor that dst has and tensors lacks, one of
// another shape, one that dst does not know, one that occurs twice. All is checked
// before anything is copied. Elements of dst keep their Data slices, so they may be
// views of an arena.
func Assign(source string, dst, tensors []Tensor) error {
	given := make(map[string]Tensor, len(tensors))
	for _, t := range tensors {
		if _, ok := given[t.Name]; ok {
			return fmt.Errorf("%s: tensor %q occurs twice", source, t.Name)
		}
		given[t.Name] = t
	}
	wanted := make(map[string]bool, len(dst))
	for _, d := range dst {
		wanted[d.Name] = true
		t, ok := given[d.Name]
		if !ok {
			return fmt.Errorf("%s: tensor %q is missing", source, d.Name)
		}
		if !slices.Equal(t.Shape, d.Shape) || len(t.Data) != len(d.Data) {
			return fmt.Errorf("%s: tensor %q has shape %v, want %v", source, d.Name, t.Shape, d.Shape)
		}
	}
	for _, t := range tensors {
		if !wanted[t.Name] {
			return fmt.Errorf("%s: tensor %q is unknown to this model", source, t.Name)
		}
	}
	for _, d := range dst {
		copy(d.Data, given[d.Name].Data)
	}
	return nil
}
