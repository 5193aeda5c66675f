package orchestrator

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/atomicfile"
	"t2sda/internal/faulttest"
)

// TestFaultsOfARun lets random operations of whole runs fail, and resumes them: each ends
// as the run that nothing happened to.
func TestFaultsOfARun(t *testing.T) {
	enginetest.Isolate(t)
	tries, seed := 2, uint64(time.Now().UnixNano())
	if os.Getenv(longEnv) != "" {
		tries = 20
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	root := t.TempDir()
	writeShapes(t, root)
	run := func(output string, s *faulttest.System, resume bool) error {
		o := quiet()
		o.Disk, o.Resume = atomicfile.On(s), resume
		_, err := Run(t.Context(), shapesConfig(root, output), o)
		return err
	}
	healthy := func() *faulttest.System { return faulttest.New(faulttest.Kind{}, -1) }
	whole, s := &victim{output: t.TempDir()}, healthy()
	if err := run(whole.output, s, false); err != nil {
		t.Fatal(err)
	}
	k := &killer{root: root, whole: whole}
	for range tries {
		kind := faulttest.Kinds[random.IntN(len(faulttest.Kinds))]
		of := 0 // operations that may be hit
		for _, op := range s.Done {
			if kind.Of == nil || slices.Contains(kind.Of, op.Kind) {
				of++
			}
		}
		v := &victim{output: t.TempDir(), cache: t.TempDir()}
		failing := faulttest.New(kind, random.IntN(of))
		err := run(v.output, failing, false)
		where := fmt.Sprintf("%s, %v", kind.Name, failing.Hit)
		t.Logf("%s: %v", where, err)
		if err == nil && failing.Hit != nil && filepath.Ext(temporaries.ReplaceAllString(failing.Hit.Path, "$1")) == ".png" {
			continue // pictures beside the report are left out, with a warning
		}
		if err := run(v.output, healthy(), exists(v.dir())); err != nil {
			t.Errorf("%s: %v", where, err)
		}
		k.compare(t, where, v)
	}
}
