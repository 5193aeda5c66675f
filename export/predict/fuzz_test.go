package predict

import (
	"maps"
	"math"
	"strings"
	"testing"

	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/internal/limit"
)

// FuzzMetadata: what is read of a model's metadata is valid, and written again it is
// read as the same.
func FuzzMetadata(f *testing.F) {
	miou := 0.5
	good, err := Metadata{
		ModelInfo: ModelInfo{Version: "1", ConfigHash: "ab", CropW: 8, CropH: 4, MIoU: &miou},
		Space:     datasets.Space{Name: "s", Classes: []datasets.Class{{Name: "a", Color: [3]uint8{1, 2, 3}}, {Name: "b"}}},
		Inside:    Normalization{Mean: [3]float32{1, 2, 3}, Std: [3]float32{4, 5, 6}},
		Input:     InputInfo{Name: "image", Type: InputUint8, Width: 8, Height: 4, Layout: NCHW, Colour: "rgb", Scale: 255},
		Output:    OutputInfo{Name: "labels", Kind: OutputLabels},
	}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good["class_names"], good["palette"], good["input"], good["output"], "crop", "[8,4]")
	f.Add(`["a"]`, `[]`, `{}`, `{}`, "miou", "null")
	f.Add(`["a","a"]`, `[[1,2],[3]]`, `null`, `[]`, "std", "[0]")
	f.Add(`[""]`, `[[256,0,0]]`, `{"width":-1}`, `{}`, "normalization_inside", `{"std":[1e99,0,0]}`)
	f.Fuzz(func(t *testing.T, names, palette, input, output, key, value string) {
		props := maps.Clone(good)
		maps.Copy(props, map[string]string{"class_names": names, "palette": palette, "input": input, "output": output, key: value})
		m, err := ParseMetadata(props)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "model metadata: ") && err != errForeign {
				t.Errorf("the error does not say what it is about: %v", err)
			}
			return
		}
		if err := m.Space.Validate(); err != nil {
			t.Error(err)
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		m2, err := ParseMetadata(again)
		if err != nil {
			t.Fatalf("%v, of %+v", err, m)
		}
		if twice, err := m2.Encode(); err != nil || !maps.Equal(twice, again) {
			t.Errorf("read again as %+v, not %+v: %v", m2, m, err)
		}
	})
}

// FuzzForm: whatever shapes a model claims, its input is refused by its name or is an
// image of a size that is taken, with its channels in their place, and so is its output.
func FuzzForm(f *testing.F) {
	f.Add(int64(1), int64(3), int64(-1), int64(-1), 4, "", false)
	f.Add(int64(-1), int64(32), int64(64), int64(3), 4, NHWC, true)
	f.Add(int64(1), int64(3), int64(1<<40), int64(-1), 4, NCHW, false)
	f.Add(int64(3), int64(math.MaxInt64), int64(math.MaxInt64), int64(0), 3, "", false)
	f.Add(int64(1), int64(2), int64(math.MinInt64), int64(5), 4, "", true)
	f.Fuzz(func(t *testing.T, a, b, c, d int64, rank int, layout string, unranked bool) {
		dims := []int{int(a), int(b), int(c), int(d)}[:uint(rank)%5]
		info := engine.IOInfo{Name: "claimed", DType: engine.Float32, Dims: dims, Unranked: unranked}
		in, err := newInput(info, Form{Layout: layout})
		if err != nil {
			if !strings.Contains(err.Error(), `"claimed"`) {
				t.Errorf("the error does not name the input: %v", err)
			}
		} else if in.w < 0 || in.h < 0 || limit.Check(max(in.w, 1), max(in.h, 1)) != nil || len(in.sized(8, 8)) != len(in.dims) {
			t.Errorf("%v is read as %d×%d", dims, in.w, in.h)
		}
		two := datasets.Space{Classes: []datasets.Class{{Name: "a"}, {Name: "b"}}}
		r := reading{classes: classes{space: two}}
		g, err := r.grid("claimed", engine.Float32, dims)
		if err != nil {
			if !strings.Contains(err.Error(), `"claimed"`) {
				t.Errorf("the error does not name the output: %v", err)
			}
		} else if min(g.w, g.h) < 1 || limit.Check(g.w, g.h) != nil || g.kind == logits && g.c != 2 {
			t.Errorf("%v is read as %+v", dims, g)
		}
	})
}
