package engine

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/peaktest"
)

// FuzzSignature: what is said of a model's inputs and outputs is in its bytes, takes no
// more memory than they justify, stays the same when a field that nobody knows follows,
// and tells of the casts where types are widened.
func FuzzSignature(f *testing.F) {
	for _, m := range []*testModel{
		accumulate(3),
		newModel().node("r", "Reshape", "x shape", "y").constant("shape", 2, -1).
			in("x", Uint8, -1, 3, 4).in("shape", Int64, 2).out("y", Uint8, 2, -1),
		newModel().node("i", "Identity", "x", "y").in("x", 10, 1, 3).out("y", 16, 1, 3).meta("k", "v"), // float16 → bfloat16
		newModel().node("i", "Identity", "x", "y").in("x", 13).out("y", 4, math.MaxInt64),
		{onnxtest.New()},
	} {
		f.Add(m.bytes())
	}
	f.Fuzz(func(t *testing.T, model []byte) {
		peaktest.Bound(t, 1<<20+uint64(512*len(model)), func() { checkSignature(t, model) })
	})
}

func checkSignature(t *testing.T, model []byte) {
	in, out, err := signature(model)
	if err != nil {
		return
	}
	for _, info := range slices.Concat(in, out) {
		if !bytes.Contains(model, []byte(info.Name)) {
			t.Errorf("%q is not in the model", info.Name)
		}
		if info.Unranked != (info.Dims == nil) || len(info.Dims) > len(model) {
			t.Errorf("%q: %d dimensions, unranked: %t", info.Name, len(info.Dims), info.Unranked)
		}
	}
	more := protowire.AppendBytes(protowire.AppendTag(bytes.Clone(model), 4711, protowire.BytesType), []byte("unknown"))
	if in2, out2, err := signature(more); err != nil || len(in2) != len(in) || len(out2) != len(out) {
		t.Errorf("with an unknown field there are %d inputs and %d outputs, before %d and %d; %v", len(in2), len(out2), len(in), len(out), err)
	}
	edited, c, err := widened(model, in, out)
	if err != nil || c.none() {
		return
	}
	in3, out3, err := signature(edited)
	if err != nil || len(out3) != len(out) || len(in3) > len(in) {
		t.Fatalf("widened, %d inputs and %d outputs are %d and %d: %v", len(in), len(out), len(in3), len(out3), err)
	}
	for i, info := range out3 {
		if c.out[out[i].Name] != "" && info.Name != out[i].Name+castSuffix {
			t.Errorf("output %q is cast to %q", out[i].Name, info.Name)
		}
	}
}
