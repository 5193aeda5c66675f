package orchestrator

import (
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
)

// TestRoundSkips: a target image that is smaller than the crop, and one that cannot be read while
// the set is labelled, have no labels and are not drawn in that round, also where they can be
// read later; a resumed run tells the same.
func TestRoundSkips(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	small, torn := filepath.Join(root, "target", "images", "1.png"), filepath.Join(root, "target", "images", "2.png")
	writePNG(t, small, image.NewRGBA(image.Rect(0, 0, 63, 72)))
	good, err := os.ReadFile(torn)
	if err != nil {
		t.Fatal(err)
	}
	c := inRounds(root, t.TempDir(), 2)
	if _, err := Run(t.Context(), c, quiet()); err == nil || !strings.Contains(err.Error(), "1.png of 63×72 pixels") {
		t.Errorf("small, stop: %v", err)
	}
	c.Data.OnError = "skip"
	inRound := func(c configs.Config, stop string) string {
		c.Output = t.TempDir()
		if err := os.WriteFile(torn, good[:len(good)/2], 0o644); err != nil {
			t.Fatal(err)
		}
		mended := func(o *Options) {
			out := o.Out
			o.Out = writerFunc(func(p []byte) (int, error) {
				if strings.Contains(string(p), " 1/6 ") {
					if err := os.WriteFile(torn, good, 0o644); err != nil {
						t.Error(err)
					}
				}
				return out.Write(p)
			})
		}
		o := quiet()
		if stop != "" {
			stopAfter(t, c, stop, mended)
			o.Resume = true
		}
		mended(&o)
		if _, err := Run(t.Context(), c, o); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(c.Output, c.Name)
	}
	whole := inRound(c, "")
	skipped := skippedOf(t, whole)
	if !strings.Contains(skipped[0], small) || !strings.Contains(skipped[0], torn) {
		t.Errorf("iteration 0 did without %q", skipped[0])
	}
	if i := slices.IndexFunc(skipped[3:], func(s string) bool { return strings.Contains(s, torn) }); i >= 0 || !strings.Contains(skipped[3], small) {
		t.Errorf("the second round did without %q", skipped[3:])
	}
	sameEnd(t, "stopped", whole, inRound(c, " 1/6 "))
}
