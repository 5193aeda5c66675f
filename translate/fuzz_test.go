package translate

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
)

// FuzzCamera: a model of a camera that is taken gives pictures whose values are grey
// levels, whatever its file holds.
func FuzzCamera(f *testing.F) {
	text, err := json.Marshal(sceneModel(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(bytes.Replace(text, []byte(`"tone":[`), []byte(`"tone":[1e308,`), 1))
	f.Add(bytes.ReplaceAll(text, []byte(`"gain":[`), []byte(`"gain":[-1e308,`)))
	f.Add(bytes.ReplaceAll(text, []byte(`0.`), []byte(`1e30`)))
	f.Add([]byte(`{"noise":[{"fine":[]}]}`))
	f.Add([]byte(`null`))
	source := scene(1, 16, 12)
	f.Fuzz(func(t *testing.T, text []byte) {
		m := new(CameraModel)
		if json.Unmarshal(text, m) != nil {
			return
		}
		c, err := NewCamera(m, DefaultCameraOptions())
		if err != nil {
			return
		}
		out, err := c.Translate(rand.New(rand.NewPCG(1, 2)), source, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range out.Pix {
			if !(v >= 0 && v <= 255) {
				t.Fatalf("value %d is %v", i, v)
			}
		}
	})
}
