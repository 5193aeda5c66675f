package orchestrator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/atomicfile"
	"t2sda/internal/plural"
	"t2sda/translate"
)

// recordFile holds what a run that passes over bad files draws from.
const recordFile = "inputs.json"

// inputs are the files of a run as they were at its beginning, and what was
// counted and measured on them. A run that passes over files that have gone goes
// on with them when it is resumed: lists that have become shorter, or other counts,
// would lead to other draws.
type inputs struct {
	Source []datasets.Item        `json:"source"`
	Target []datasets.Item        `json:"target,omitempty"`
	Eval   []datasets.Item        `json:"eval"`
	Stats  *datasets.Stats        `json:"stats,omitempty"`
	Camera *translate.CameraModel `json:"camera,omitempty"`
	// Faults are what could not be read at the beginning.
	Faults []datasets.Fault `json:"faults,omitempty"`
}

// readInputs returns the inputs that the run in dir began with, nil for a run
// that begins or that stops at bad files.
func readInputs(cfg configs.Config, dir string) (*inputs, error) {
	if !cfg.SkipsBadFiles() || dir == "" {
		return nil, nil
	}
	path := filepath.Join(dir, recordFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	in := new(inputs)
	if err := json.Unmarshal(text, in); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return in, nil
}

// noteInputs notes what the data are drawn from, for the run that resumes.
func (d *data) noteInputs(cfg configs.Config) {
	if !cfg.SkipsBadFiles() {
		return
	}
	d.began.Source, d.began.Eval = d.source.Items(), d.eval.Items()
	all := []*datasets.Dataset{d.source, d.eval}
	if d.target != nil {
		d.began.Target = d.target.Items()
		all = append(all, d.target)
	}
	if d.began.Stats != nil {
		d.began.Faults = append(d.began.Faults, d.began.Stats.Faults...)
	}
	for _, set := range all {
		for _, err := range set.LeftOut() {
			d.began.Faults = append(d.began.Faults, datasets.Fault{File: set.Root(), Error: err.Error()})
		}
	}
}

// keepInputs writes down what was noted. A run that is resumed has it already.
func (d *data) keepInputs(disk atomicfile.Disk, cfg configs.Config, dir string) error {
	path := filepath.Join(dir, recordFile)
	if !cfg.SkipsBadFiles() || exists(path) {
		return nil
	}
	if err := disk.MkdirAll(dir); err != nil {
		return err
	}
	return disk.WriteJSON(path, d.began)
}

// Skipped is a file that a run did without.
type Skipped struct {
	datasets.Fault
	Times int `json:"times"` // that it was drawn for training
}

// skipped counts a run's faults of files, in the order in which they were met.
type skipped []Skipped

// add counts a draw, or with times 0 what was known before any. It reports
// whether the file is a new one.
func (s *skipped) add(f datasets.Fault, times int) bool {
	for i, have := range *s {
		if have.Fault.File == f.File && (times > 0 || have.Error == f.Error) {
			(*s)[i].Times += times
			return false
		}
	}
	*s = append(*s, Skipped{f, times})
	return true
}

// summary is a sentence; empty for no fault.
func (s skipped) summary() string {
	if len(s) == 0 {
		return ""
	}
	draws := 0
	for _, one := range s {
		draws += one.Times
	}
	return fmt.Sprintf("%s not be used, others were drawn in their place %s; the first: %s", plural.Of(len(s), "file could", "files could"), plural.Of(draws, "time", "times"), s[0].Error)
}
