package orchestrator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/export/score"
	"t2sda/internal/atomicfile"
	"t2sda/internal/peaktest"
	"t2sda/internal/sha256sum"
	"t2sda/orchestrator/learner"
)

// FuzzState: with its digest in order, a checkpoint's state is refused by the
// checkpoint's name, or is of an iteration, and what is written of it is read
// as the same.
func FuzzState(f *testing.F) {
	good, err := json.Marshal(progress{Iteration: 3, ConfigHash: "h", BestMIoU: -1, Summed: true})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		string(good), `{"iteration":-1}`, `{"iteration":1e3,"best_miou":1e308,"skipped":[{}]}`, `{"iteration":3,"space":{"classes":[{"color":[1]}]}}`, `null`, `[]`, ``, `{"iteration":3}}`,
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, summed bool) {
		writeFile(t, filepath.Join(dir, stateFile), text)
		sumsPath := filepath.Join(dir, sumsFile)
		if err := os.RemoveAll(sumsPath); err != nil {
			t.Fatal(err)
		}
		if summed {
			writeFile(t, sumsPath, string(sha256sum.List(sums{stateFile: sha256sum.Of([]byte(text))})))
		}
		s, err := openSaved(dir)
		if err != nil {
			if !strings.Contains(err.Error(), dir) {
				t.Errorf("the error does not name the checkpoint: %v", err)
			}
			return
		}
		if s.progress.Iteration < 0 {
			t.Errorf("iteration %d", s.progress.Iteration)
		}
		if summed != (s.unsummed == nil) {
			t.Errorf("with sums: %t; %v", summed, s.unsummed)
		}
		if err := s.rest(); err != nil {
			t.Error(err)
		}
		once, err := json.Marshal(s.progress)
		if err != nil {
			t.Fatal(err)
		}
		var again progress
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatal(err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("read again it is %s, not %s: %v", twice, once, err)
		}
	})
}

// FuzzSums: a file of sums is refused, or names files of its folder only, and is, byte
// for byte, what is written of it.
func FuzzSums(f *testing.F) {
	sum := sha256sum.Of([]byte("{}"))
	for _, text := range []string{
		sum + "  state.json\n", sum + " *state.json\n", sum + "  ../../../dev/zero\n", sum + "  /dev/zero\n", sum + "  ..\n", sum + "  state.json\n" + sum + "  state.json\n",
		"  state.json\n", sum + "  state.json", sum + "  sub/state.json\n", "\n", "",
	} {
		f.Add(text)
	}
	dir := f.TempDir()
	writeFile(f, filepath.Join(dir, stateFile), "{}")
	f.Fuzz(func(t *testing.T, text string) {
		writeFile(t, filepath.Join(dir, sumsFile), text)
		if _, err := digestBeside(filepath.Join(dir, stateFile)); err != nil {
			t.Error(err)
		}
		s, err := readSums(dir)
		if err != nil {
			if !strings.Contains(err.Error(), sumsFile) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		if string(sha256sum.List(s)) != text {
			t.Errorf("%q is read as %q", text, sha256sum.List(s))
		}
		for name := range s {
			if filepath.Dir(filepath.Join(dir, name)) != dir {
				t.Errorf("%q lies elsewhere", name)
			}
		}
		if from, err := openSaved(dir); err == nil {
			if err := from.rest(); err != nil && !errors.As(err, new(*damagedError)) {
				t.Error(err)
			}
		}
	})
}

// FuzzEvents: of a file of events, the lines that can be read go on to the next
// file, the others are told by the file's name and their number; everything that is made
// of events can be made of these.
func FuzzEvents(f *testing.F) {
	miou := 0.5
	var text bytes.Buffer
	for i := range 3 {
		e := Event{Step: learner.Step{Iteration: i, Losses: map[string]float64{"source": 1}, LR: 1, Quality: []float64{1}, Queries: []int{1, 0}, QueryWeights: []float64{1, 0}}, MIoU: &miou}
		if err := json.NewEncoder(&text).Encode(e); err != nil {
			f.Fatal(err)
		}
	}
	for _, s := range []string{
		text.String(), "{}\n\n{\n", `{"iteration":-9223372036854775808}` + "\n", `{"iteration":9223372036854775807}` + "\n", `{"iteration":1}` + "\n" + `{"iteration":0}`,
		`{"iteration":0,"queries":[1],"query_weights":[1]}` + "\n" + `{"iteration":1,"queries":[1,2],"query_weights":[1,2]}` + "\n",
		`{"losses":{"":1e308},"iou":{"a":-1},"miou":1e308,"weights":[0],"seconds":{"x":-1}}` + "\n", "null\n[]\n",
	} {
		f.Add(s, 2)
	}
	dir := f.TempDir()
	path := filepath.Join(dir, eventsFile)
	f.Fuzz(func(t *testing.T, text string, from int) {
		writeFile(t, path, text)
		defer removeBoards(t, dir)
		peaktest.Bound(t, 1<<20+uint64(1024*len(text)), func() {
			events, torn, err := readEventLines(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range torn {
				if !strings.Contains(fault.Error(), path+": line ") {
					t.Errorf("the error does not name the line: %v", fault)
				}
			}
			pulled(events)
			for _, e := range events {
				e.scalars()
				describe(e)
			}
			log, err := openEvents(atomicfile.Disk{}, dir, max(from, 0), func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			if err := log.close(); err != nil {
				t.Fatal(err)
			}
			again, err := ReadEvents(path)
			if err != nil {
				t.Fatal(err)
			}
			kept := 0
			for _, e := range events {
				if e.Iteration < max(from, 0) {
					kept++
				}
			}
			if len(again) != kept {
				t.Errorf("%d events are kept, not %d", len(again), kept)
			}
		})
	})
}

func removeBoards(t *testing.T, dir string) {
	boards, err := filepath.Glob(filepath.Join(dir, "events.out.*"))
	for _, path := range boards {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		t.Error(err)
	}
}

// FuzzShare: whatever a run's events say, the bar of a table of runs can be drawn.
func FuzzShare(f *testing.F) {
	f.Add(`{"iteration":-5}`)
	f.Add(`{"iteration":9223372036854775807}` + "\n{")
	f.Add("\n\nnull\n")
	c := shapesConfig(f.TempDir(), f.TempDir())
	j := Job{Config: c}
	if err := os.MkdirAll(j.Dir(), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		writeFile(t, filepath.Join(j.Dir(), eventsFile), text)
		share := j.share()
		if !(share >= 0 && share <= 1) {
			t.Errorf("%v of the run is done", share)
		}
		m := &jobMeter{w: io.Discard, total: 1, loads: map[string]*jobLoad{j.Dir(): {job: j, from: share, at: share, running: true}}, columns: func() int { return 80 }}
		m.draw()
	})
}

// FuzzResult: a run's result is refused by its name, or can be printed, alone
// and against its baseline, and kept.
func FuzzResult(f *testing.F) {
	r := score.NewResult([]string{"a", "b"}, score.NewConfusion(2))
	good, err := json.Marshal(Outcome{Method: "t2s", ConfigHash: "HASH", Result: r, Baseline: r})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		string(good), `{"config_hash":"HASH"}`, `{"config_hash":"HASH","result":{}}`, `{"config_hash":"HASH","result":null,"baseline":{}}`, `null`, `[]`, ``,
		strings.Replace(string(good), `"seconds":0`, `"seconds":1e308`, 1), strings.ReplaceAll(string(good), `"rows":[[0,0]`, `"rows":[[-1,9223372036854775807]`),
	} {
		f.Add(text)
	}
	c := shapesConfig("x", f.TempDir())
	dir := f.TempDir()
	path := filepath.Join(dir, resultFile)
	f.Fuzz(func(t *testing.T, text string) {
		writeFile(t, path, strings.ReplaceAll(text, "HASH", c.Hash()))
		out, err := readOutcome(dir, c)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		if err := out.print(io.Discard, out); err != nil {
			t.Error(err)
		}
		if out.summary() == "" || out.write(atomicfile.Disk{}) != nil {
			t.Error("it cannot be kept")
		}
		if _, err := readOutcome(dir, c); err != nil {
			t.Error(err)
		}
	})
}

// FuzzInputs: a record of inputs is refused by its name, or a run goes on with
// files of all its data sets, and with counts that can be sampled by.
func FuzzInputs(f *testing.F) {
	root, dir := f.TempDir(), f.TempDir()
	writeShapes(f, root)
	c := shapesConfig(root, dir)
	c.Data.OnError = configs.OnErrorSkip
	d := new(data)
	for set, from := range map[**datasets.Dataset]configs.Dataset{&d.source: c.Data.Source, &d.target: c.Data.Target, &d.eval: c.Data.Eval} {
		opened, err := openDataset(f.Context(), "data", from, c, nil, false)
		if err != nil {
			f.Fatal(err)
		}
		*set = opened
	}
	stats, err := d.source.Stats(f.Context(), 1, "")
	if err != nil {
		f.Fatal(err)
	}
	stats.Root = ""
	good, err := json.Marshal(inputs{Source: d.source.Items()[:1], Target: d.target.Items()[:1], Eval: d.eval.Items()[:1], Stats: stats})
	if err != nil {
		f.Fatal(err)
	}
	whole, err := json.Marshal(inputs{Source: d.source.Items(), Target: d.target.Items(), Eval: d.eval.Items(), Stats: stats})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{string(good), string(whole), `{"source":[{}],"target":[{}],"eval":[{}],"stats":{"files":[{}]}}`, `{"source":[],"eval":[]}`, `{"camera":{"tone":[1]}}`, `null`, ``} {
		f.Add(text)
	}
	path := filepath.Join(dir, recordFile)
	f.Fuzz(func(t *testing.T, text string) {
		writeFile(t, path, text)
		in, err := readInputs(c, dir)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		d := &data{source: d.source, target: d.target, eval: d.eval}
		if d.resume(in) != nil {
			return
		}
		if min(d.source.Len(), d.target.Len(), d.eval.Len()) == 0 {
			t.Error("a data set has no files")
		}
		if in.Stats != nil {
			_, _ = datasets.NewRCS(datasets.DefaultRCS(in.Stats)) // must not panic
		}
	})
}
