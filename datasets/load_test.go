package datasets

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadImageTouchesNoLabel(t *testing.T) {
	o := genericSet(t, 2, 12, 10)
	o.Width, o.Height, o.CacheBytes = 8, 6, 1<<20
	want, err := mustOpen(t, o).Load(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	want.Labels = nil
	d := mustOpen(t, o)
	if err := os.Remove(d.Item(1).Label); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"file", "cache"} {
		got, err := d.LoadImage(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from the %s: %s", from, diff)
		}
		got.Image.Pix[0]-- // the result is the caller's own
	}
}
