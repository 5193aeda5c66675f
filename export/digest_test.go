package export_test

import (
	"slices"
	"testing"

	"t2sda/export"
	"t2sda/export/exporttest"
)

// Whatever byte changes, the model is no longer the one that was built.
func TestIntact(t *testing.T) {
	o := exporttest.NanoOptions("segformer")
	model, err := export.Build(o, exporttest.RandomWeights(t, o.Arch))
	if err != nil {
		t.Fatal(err)
	}
	if !export.Intact(model) {
		t.Fatal("a model as built is not intact")
	}
	for i := 0; i < len(model); i += 1 + len(model)/50 {
		changed := slices.Clone(model)
		changed[i] ^= 1
		if export.Intact(changed) {
			t.Errorf("byte %d of %d changed, and the model is intact", i, len(model))
		}
	}
	for _, other := range [][]byte{nil, model[:len(model)-1], append(slices.Clone(model), 0), exporttest.Foreign{Classes: 2, Step: 9}.Bytes()} {
		if export.Intact(other) {
			t.Errorf("%d bytes of another model are intact", len(other))
		}
	}
}
