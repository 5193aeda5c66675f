package orchestrator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/configs"
	"t2sda/export"
	"t2sda/graphs/weights"
	"t2sda/internal/sha256sum"
)

// The states of a [Finding].
const (
	Whole   = "whole"   // it is, to the last byte, what was written, or what it must hold is there
	Damaged = "damaged" // it is not
	Unknown = "unknown" // nothing tells
)

// Finding is what [Verify] says of a file, or of a checkpoint.
type Finding struct {
	Path   string `json:"path"`
	What   string `json:"what"`
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"` // why, where it is not whole; else what it is
}

// Verify reads a run's folder, a checkpoint or a model back, every byte of it, and says
// what of it is whole. A path that is none of the three is an error, as is one that
// cannot be read at all; a damaged file is a finding.
func Verify(path string) ([]Finding, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return []Finding{verifyModel(path)}, nil
	case IsRun(path):
		return verifyRun(path)
	case isCheckpoint(path):
		f, _ := verifyCheckpoint(path)
		return []Finding{f}, nil
	}
	return nil, fmt.Errorf("%s: no run (a folder with %s), no checkpoint (one with %s) and no model file", path, ConfigFile, stateFile)
}

func isCheckpoint(dir string) bool {
	holds := func(name string) bool { return exists(filepath.Join(dir, name)) }
	return slices.ContainsFunc([]string{stateFile, sumsFile, studentFile}, holds)
}

// found is the finding about a file of which err says what is wrong; detail is said
// where nothing is.
func found(path, what, detail string, err error) Finding {
	if err != nil {
		return Finding{path, what, Damaged, err.Error()}
	}
	return Finding{path, what, Whole, detail}
}

// verifyRun looks at everything that a run, and its baseline, is resumed or read from.
func verifyRun(dir string) (all []Finding, err error) {
	path := filepath.Join(dir, ConfigFile)
	cfg, err := configs.Load(path, nil)
	all = append(all, found(path, "configuration", "", err))
	var known []string
	if err == nil {
		known = hashes(cfg)
	}
	kept, errKept := listCheckpoints(dir)
	if errKept != nil {
		return nil, errKept
	}
	last, iterations := 0, []int{}
	for _, name := range kept {
		f, iteration := verifyCheckpoint(filepath.Join(dir, checkpointDir, name), known...)
		all, last, iterations = append(all, f), max(last, iteration), append(iterations, iteration)
	}
	if err == nil {
		all = append(all, verifyRounds(dir, cfg, iterations)...)
	}
	for _, part := range []struct {
		name, what string
		look       func(path string) (string, error)
	}{
		{recordFile, "inputs", jsonFile(new(inputs))},
		{eventsFile, "events", func(path string) (string, error) { return verifyEvents(path, last) }},
		{resultFile, "result", verifyResult},
	} {
		path := filepath.Join(dir, part.name)
		if detail, err := part.look(path); !errors.Is(err, fs.ErrNotExist) {
			all = append(all, found(path, part.what, detail, err))
		}
	}
	if path := filepath.Join(dir, modelFile); exists(path) {
		all = append(all, verifyModel(path))
	}
	if base, ok := Baseline(dir); ok {
		of, err := verifyRun(base)
		return append(all, of...), err
	}
	return all, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// listCheckpoints names a run's checkpoints of all kinds, sorted.
func listCheckpoints(run string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(run, checkpointDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") { // those are half written by a run that was killed
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// verifyCheckpoint compares every file with its digest; one from before there were
// digests must be readable. Without hashes it may be of any configuration. iteration is
// how far the run had come, 0 where the checkpoint is damaged.
func verifyCheckpoint(dir string, hashes ...string) (_ Finding, iteration int) {
	const what = "checkpoint"
	from, err := openSaved(dir, hashes...)
	if err != nil {
		return found(dir, what, "", err), 0
	}
	tensors, err := filepath.Glob(filepath.Join(dir, "*"+filepath.Ext(studentFile)))
	if err == nil && len(tensors) == 0 {
		err = fmt.Errorf("it holds no %s", studentFile)
	}
	for _, path := range tensors {
		err = errors.Join(err, from.load(filepath.Base(path), func(string, []weights.Tensor) error { return nil }))
	}
	iteration = from.progress.Iteration
	switch err = errors.Join(err, from.rest()); {
	case err != nil:
		return found(dir, what, "", err), 0
	case from.unsummed != nil:
		return Finding{dir, what, Unknown, from.unsummed.Error()}, iteration
	}
	return found(dir, what, fmt.Sprintf("iteration %d", iteration), nil), iteration
}

// verifyEvents expects one event of each iteration up to the last checkpoint's.
func verifyEvents(path string, last int) (string, error) {
	events, err := ReadEvents(path)
	if err != nil {
		return "", err
	}
	if gaps := missingEvents(events, last); gaps != "" {
		return "", fmt.Errorf("iterations %s are missing", gaps)
	}
	return fmt.Sprintf("%d iterations", len(events)), nil
}

// jsonFile returns what reads a JSON file of into's type.
func jsonFile(into any) func(path string) (string, error) {
	return func(path string) (string, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		return "", json.Unmarshal(text, into)
	}
}

// verifyResult reads a result.json.
func verifyResult(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return "", new(Outcome).decode(text)
}

// verifyModel compares a model's file with the digests of [CheckModel].
func verifyModel(path string) Finding {
	const what = "model"
	model, err := os.ReadFile(path)
	if err != nil {
		return found(path, what, "", err)
	}
	intact, changed, err := CheckModel(path, model)
	switch {
	case err != nil || changed != nil:
		return found(path, what, "", errors.Join(err, changed))
	case intact:
		return found(path, what, "as t2sda wrote it", nil)
	case describedSum(path) != "":
		return found(path, what, "as "+describedBy(path)+" says", nil)
	case recordedSum(path) != "":
		return found(path, what, "as the run's result says", nil)
	}
	return Finding{path, what, Unknown, "it bears no digest: another program wrote it, or t2sda before there was one"}
}

// CheckModel says what is known of a model's file of this content: whether it is, to the
// last byte, one that this program wrote, and what is known against it. One that a run
// left as its model, and that is no longer what the run's result says, is an error. One
// that bears the digest that t2sda gave it, and another content, may have been changed by
// a program on purpose: that is returned for a warning, as is a
// digest in the description beside it that is not the model's.
func CheckModel(path string, model []byte) (intact bool, changed, err error) {
	if want := recordedSum(path); want != "" && want != sha256sum.Of(model) {
		return false, nil, fmt.Errorf("the model is not what the run wrote (SHA-256 in its %s): damaged, or replaced. t2sda export makes a model of the run's checkpoint, which is another file (--out)", resultFile)
	}
	if want := describedSum(path); want != "" && want != sha256sum.Of(model) {
		changed = fmt.Errorf("the model is not what %s says (its SHA-256 differs): damaged, or replaced. t2sda export writes both anew", describedBy(path))
		return false, changed, nil
	}
	if intact = export.Intact(model); !intact && export.Sealed(model) {
		changed = errors.New("the model is not what t2sda wrote (its own digest differs): damaged, or changed by another program")
	}
	return intact, changed, nil
}

// describedBy is the name of what may lie beside an exported model.
func describedBy(path string) string {
	description, _ := export.Beside(path)
	return filepath.Base(description)
}

// describedSum is the SHA-256 that the description beside an exported model tells of it; empty
// where there is none.
func describedSum(path string) string {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(path), describedBy(path)))
	if err != nil {
		return ""
	}
	d, ok := export.ParseDescription(text)
	if !ok || d.File != filepath.Base(path) {
		return ""
	}
	return d.SHA256
}

// recordedSum is the SHA-256 that the result beside a run's model tells of it; empty
// where nothing is told.
func recordedSum(path string) string {
	if filepath.Base(path) != modelFile {
		return ""
	}
	out := new(Outcome)
	if _, err := jsonFile(out)(filepath.Join(filepath.Dir(path), resultFile)); err != nil {
		return ""
	}
	return out.ModelSum
}
