package orchestrator

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/sha256sum"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/atomicfile"
	"t2sda/internal/faulttest"
	"t2sda/orchestrator/learner"
)

// outcomes counts, by kind of fault, what it led to.
type outcomes map[string]map[string]int

func (o outcomes) add(kind, outcome string) {
	if o[kind] == nil {
		o[kind] = map[string]int{}
	}
	o[kind][outcome]++
}

// table is that of docs/reliability.md.
func (o outcomes) table() string {
	var b strings.Builder
	for _, k := range faulttest.Kinds {
		total := 0
		var said []string
		for _, outcome := range slices.Sorted(maps.Keys(o[k.Name])) {
			n := o[k.Name][outcome]
			total += n
			said = append(said, fmt.Sprintf("%s: %d", outcome, n))
		}
		fmt.Fprintf(&b, "| %s | %d | %s |\n", k.Name, total, cmp.Or(strings.Join(said, "; "), "–"))
	}
	return b.String()
}

// unsynced is the operating system without its waiting for disks.
func unsynced() atomicfile.Disk { return atomicfile.On(faulttest.New(faulttest.Kind{}, -1)) }

// treeOf lists the files below dir.
func treeOf(t *testing.T, dir string) map[string]fs.FileInfo {
	t.Helper()
	all := map[string]fs.FileInfo{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(name)], err = e.Info()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sameFile tells whether both are one file that nobody has written to in between.
func sameFile(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// linkTree makes to a copy of from, whose files are the same ones: nothing that is tested
// may write into a file that is there.
func linkTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(from, path)
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		return os.Link(path, filepath.Join(to, name))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// setState makes the learner's state that of an invented iteration.
func setState(t *testing.T, l *learner.Learner, iteration int) {
	t.Helper()
	for _, part := range l.Parts() {
		tensors, err := part.Tensors()
		if err != nil {
			t.Fatal(err)
		}
		for k, x := range tensors {
			for i := range x.Data {
				x.Data[i] = float32(iteration) + float32((i+k)%97)/128
			}
		}
	}
}

// stateSum is the digest of all of the learner's state.
func stateSum(t *testing.T, l *learner.Learner) string {
	t.Helper()
	var b strings.Builder
	for _, part := range l.Parts() {
		tensors, err := part.Tensors()
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range tensors {
			fmt.Fprintln(&b, x.Name, x.Shape, x.Data[0], x.Data[len(x.Data)-1])
		}
	}
	return sha256sum.Of([]byte(b.String()))
}

// faultRun is a run of which a checkpoint's writing fails.
type faultRun struct {
	trainer *trainer
	reader  *trainer               // what resumes it
	base    string                 // the run before
	before  map[string]fs.FileInfo // its files
	states  map[int]string         // the state of each iteration
	redone  bool                   // the checkpoint that is there already is saved again
	log     *observer.ObservedLogs
}

// newFaultRun makes a run with the checkpoints iter_2, best_3 and iter_4, which saves
// that of iteration 6 next, or that of 4 again.
func newFaultRun(t *testing.T, redone bool) *faultRun {
	t.Helper()
	c := shapesConfig("x", t.TempDir())
	c.Train.Keep = 2
	core, logs := observer.New(zap.WarnLevel)
	r := &faultRun{base: t.TempDir(), states: map[int]string{}, redone: redone, log: logs}
	open := func() *trainer {
		return &trainer{cfg: c, dir: r.base, disk: unsynced(), learner: openLearner(t, c), log: zap.New(core), progress: progress{ConfigHash: c.Hash(), BestMIoU: -1}}
	}
	r.trainer, r.reader = open(), open()
	for _, step := range []struct {
		prefix    string
		iteration int
	}{{lastPrefix, 2}, {bestPrefix, 3}, {lastPrefix, 4}} {
		if step.prefix == bestPrefix {
			r.trainer.progress.BestIteration = step.iteration
		}
		r.at(t, step.iteration)
		if err := r.trainer.checkpoint(step.prefix); err != nil {
			t.Fatal(err)
		}
	}
	r.before = treeOf(t, r.base)
	return r
}

// at brings the run to an iteration.
func (r *faultRun) at(t *testing.T, iteration int) {
	t.Helper()
	setState(t, r.trainer.learner, iteration)
	r.trainer.progress.Iteration = iteration
	r.states[iteration] = stateSum(t, r.trainer.learner)
}

// next is the iteration that is saved.
func (r *faultRun) next() int {
	if r.redone {
		return 4
	}
	return 6
}

// TestEveryFaultOfACheckpoint saves a checkpoint, a new one or one of an iteration that
// has been saved before, with each of its operations failing in each way. Then, always:
// the error names the file; the checkpoints before are untouched; what could be removed
// is; the next start removes the rest, finds nothing damaged and loads the last
// checkpoint bit for bit; and the run that failed has its state, and saves it when the
// disk is well again.
func TestEveryFaultOfACheckpoint(t *testing.T) {
	enginetest.Isolate(t)
	found := outcomes{}
	for _, redone := range []bool{false, true} {
		if redone && os.Getenv(longEnv) == "" {
			continue // what differs is in TestEveryFaultOfAFolder, too
		}
		r := newFaultRun(t, redone)
		r.at(t, r.next())
		for _, k := range faulttest.Kinds {
			for n := 0; r.fail(t, k, n, found); n++ {
			}
		}
	}
	t.Log("\n" + found.table())
}

// fail saves with the n-th operation of a kind failing, and reports whether there was one.
func (r *faultRun) fail(t *testing.T, k faulttest.Kind, n int, found outcomes) bool {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(r.base), "run")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir) // there are hundreds
	linkTree(t, r.base, dir)
	s := faulttest.New(k, n)
	r.log.TakeAll()
	r.trainer.dir, r.trainer.disk, r.trainer.keptBest = dir, atomicfile.On(s), 3
	err = r.trainer.checkpoint(lastPrefix)
	if s.Hit == nil {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	where := fmt.Sprintf("%s, %v (saved again: %v)", k.Name, s.Hit, r.redone)
	outcome := "saved, with a warning"
	if err == nil {
		if told := r.log.FilterMessageSnippet("is saved, but"); told.Len() != 1 || !strings.Contains(told.All()[0].Message, s.Hit.Path) {
			t.Errorf("%s: no error, and the log says %v", where, r.log.All())
		}
	} else {
		outcome = "not saved, as the error says"
		if !names(err, s.Hit.Path) {
			t.Errorf("%s: the error does not name the file: %v", where, err)
		}
		r.untouched(t, where, dir, k)
	}
	if k.Dies() {
		outcome = "–"
	}
	found.add(k.Name, cmp.Or(r.restart(t, where, dir, k), outcome))
	if have := stateSum(t, r.trainer.learner); have != r.states[r.next()] {
		t.Errorf("%s: the state has changed", where)
	}
	if n%8 == 0 { // each takes as long as all else
		r.saveLater(t, where, dir)
	}
	return true
}

// temporaries are the random parts of the names of what is being written.
var temporaries = regexp.MustCompile(`\.([^/]+)\.[0-9a-f]{16}$`)

// names tells whether the error says which file a fault hit, by its own name where it is
// called otherwise while it is written.
func names(err error, path string) bool {
	return strings.Contains(err.Error(), path) || strings.Contains(err.Error(), temporaries.ReplaceAllString(path, "$1"))
}

// untouched expects the checkpoints of before, and nothing beside them that could have
// been removed.
func (r *faultRun) untouched(t *testing.T, where, dir string, k faulttest.Kind) {
	t.Helper()
	have := treeOf(t, dir)
	for name, file := range r.before {
		replaced := r.redone && k.Stays && strings.Contains(name, "iter_000004")
		if !sameFile(have[name], file) && !replaced {
			t.Errorf("%s: %s is not what it was", where, name)
		}
		delete(have, name)
	}
	if len(have) > 0 && !k.Stays {
		t.Errorf("%s: it leaves %v", where, slices.Sorted(maps.Keys(have)))
	}
}

// restart does what the next start does, and returns what became of the run whose process
// has died.
func (r *faultRun) restart(t *testing.T, where, dir string, k faulttest.Kind) (outcome string) {
	t.Helper()
	if err := removeUnfinished(unsynced(), dir); err != nil {
		t.Errorf("%s: %v", where, err)
	}
	for name := range treeOf(t, dir) {
		if strings.Contains(name, "/.") {
			t.Errorf("%s: %s is still there", where, name)
		}
	}
	for _, path := range r.changed(t, dir) {
		if f, _ := verifyCheckpoint(path, r.trainer.cfg.Hash()); f.State != Whole {
			t.Errorf("%s: %+v", where, f)
		}
	}
	at := r.resumed(t, where, dir)
	switch {
	case !k.Dies():
		return ""
	case at == 6:
		return "saved"
	}
	return "not saved"
}

// resumed resumes the run and returns from which iteration, whose state it must have.
func (r *faultRun) resumed(t *testing.T, where, dir string) int {
	t.Helper()
	if len(r.changed(t, dir)) == 0 && r.reader.progress.Iteration == 4 {
		return 4 // from files that have been read before
	}
	r.reader.dir = dir
	if err := r.reader.resume(true); err != nil {
		t.Errorf("%s: %v", where, err)
	}
	at := r.reader.progress.Iteration
	if have := stateSum(t, r.reader.learner); have != r.states[at] || at < 4 {
		t.Errorf("%s: what is loaded of iteration %d is not what was saved", where, at)
	}
	return at
}

// changed lists the checkpoints of which not every file is that of before.
func (r *faultRun) changed(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := resumable(dir)
	if err != nil {
		t.Fatal(err)
	}
	have := treeOf(t, dir)
	return slices.DeleteFunc(paths, func(path string) bool {
		name := checkpointDir + "/" + filepath.Base(path) + "/"
		for _, file := range []string{studentFile, teacherFile, optimFile, stateFile, sumsFile} {
			if !sameFile(have[name+file], r.before[name+file]) {
				return false
			}
		}
		return true
	})
}

// saveLater saves what could not be saved, on a disk that is well.
func (r *faultRun) saveLater(t *testing.T, where, dir string) {
	t.Helper()
	r.trainer.disk = unsynced()
	if err := r.trainer.checkpoint(lastPrefix); err != nil {
		t.Errorf("%s: later: %v", where, err)
	}
	if f, _ := verifyCheckpoint(checkpointPath(dir, lastPrefix, r.next())); f.State != Whole {
		t.Errorf("%s: later: %+v", where, f)
	}
	for name := range treeOf(t, dir) {
		if strings.Contains(name, "/.") {
			t.Errorf("%s: later, %s is still there", where, name)
		}
	}
}

// TestOrderOfACheckpoint: what a checkpoint holds is on the disk before it has its name,
// and it has that, on the disk, before older ones go. So a machine that fails at any
// moment leaves one.
func TestOrderOfACheckpoint(t *testing.T) {
	enginetest.Isolate(t)
	r := newFaultRun(t, false)
	r.at(t, 6)
	s := faulttest.New(faulttest.Kind{}, -1)
	r.trainer.disk = atomicfile.On(s)
	if err := r.trainer.checkpoint(lastPrefix); err != nil {
		t.Fatal(err)
	}
	unsynced := map[string]bool{} // files and folders that were written to since
	named, kept := false, false
	for _, op := range s.Done {
		switch op.Kind {
		case faulttest.Write:
			unsynced[op.Path] = true
		case faulttest.SyncFile, faulttest.SyncFolder:
			delete(unsynced, op.Path)
			kept = kept || named && filepath.Base(op.Path) == checkpointDir
		case faulttest.Rename:
			if unsynced[op.Path] || strings.HasSuffix(op.To, "iter_000006") && len(unsynced) > 0 {
				t.Errorf("%v before %v is synced", op, unsynced)
			}
			unsynced[filepath.Dir(op.To)] = true
			named = named || strings.HasSuffix(op.To, "iter_000006")
		}
		if older := strings.HasSuffix(op.Path, "iter_000002"); older && !kept {
			t.Errorf("%v before the new checkpoint is safe", op)
		}
	}
	if !kept {
		t.Error("the checkpoints' folder is not synced")
	}
}
