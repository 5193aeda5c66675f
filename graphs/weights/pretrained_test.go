package weights

import (
	"strings"
	"testing"

	"t2sda/internal/finite"
)

func TestPretrained(t *testing.T) {
	for _, name := range Pretrained() {
		f, err := openPretrained(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors, err := f.all()
		if err != nil {
			t.Fatal(err)
		}
		if f.Metadata()["origin"] == "" {
			t.Errorf("%s does not say where it comes from", name)
		}
		for _, w := range tensors {
			if !strings.HasPrefix(w.Name, "backbone.") {
				t.Errorf("%s holds %s, which is no part of an encoder", name, w.Name)
			}
			for _, v := range w.Data {
				if !finite.Is(v) {
					t.Fatalf("%s: %s is not finite", name, w.Name)
				}
			}
		}
	}
	_, err := openPretrained("resnet")
	if err == nil || !strings.Contains(err.Error(), `no pretrained weights "resnet", there are: mit_nano`) {
		t.Errorf("have %v", err)
	}
}
