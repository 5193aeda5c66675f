package orchestrator

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/atomicfile"
	"t2sda/internal/faulttest"
)

// TestFaultsOfARun lets operations of whole runs fail, the best checkpoint's beginning and
// random ones, and resumes them: each ends as the run that nothing happened to.
func TestFaultsOfARun(t *testing.T) {
	enginetest.Isolate(t)
	tries, seed := 3, uint64(time.Now().UnixNano())
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
	for i := range tries {
		kind := faulttest.Kinds[random.IntN(len(faulttest.Kinds))]
		of := countOf(s.Done, kind)
		at := random.IntN(max(of, 1))
		if i == 0 {
			kind, at = faulttest.Kinds[1], bestMkdir(s.Done)
		}
		v := &victim{output: t.TempDir(), cache: t.TempDir()}
		failing := faulttest.New(kind, at)
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

// countOf counts the operations that a kind of fault may hit.
func countOf(done []faulttest.Op, kind faulttest.Kind) (n int) {
	for _, op := range done {
		if kind.Of == nil || slices.Contains(kind.Of, op.Kind) {
			n++
		}
	}
	return n
}

// bestMkdir is which of a run's new folders becomes the first best checkpoint.
func bestMkdir(done []faulttest.Op) int {
	first := slices.IndexFunc(done, func(op faulttest.Op) bool {
		return op.Kind == faulttest.Rename && strings.HasPrefix(filepath.Base(op.To), bestPrefix)
	})
	return countOf(done[:first], faulttest.Kinds[1]) - 1
}
