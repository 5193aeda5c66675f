package orchestrator

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/plural"
)

// MissingError tells of what runs read and that is not there.
type MissingError struct {
	lines []string // one for each place
}

func (e *MissingError) Error() string { return "nothing is trained: " + strings.Join(e.lines, "\n") }

// missingPlace is where something is missing.
type missingPlace struct {
	path   string
	fault  error
	wants  []string // FIELD=DIR or FIELD=FILE
	fields []string
	runs   []Job
}

// checkInputs refuses runs some of whose inputs are not there, before any of them is
// trained, with a [MissingError]. The worlds that will be rendered need not be there.
func checkInputs(jobs []Job) error {
	var places []*missingPlace
	for _, j := range jobs {
		rendered := streetRoots(j.Config)
		for _, in := range j.Config.Inputs() {
			made := slices.ContainsFunc(rendered, func(r streetRoot) bool { return r.root == in.Path })
			// A run that goes on has its weights, and says itself where it needs the first ones.
			if goesOn := in.Field == "model.init" && begun(j.Dir()); made || goesOn {
				continue
			}
			i := slices.IndexFunc(places, func(p *missingPlace) bool { return p.path == in.Path })
			if i < 0 {
				fault := lookFor(in)
				if fault == nil {
					continue
				}
				i = len(places)
				places = append(places, &missingPlace{path: in.Path, fault: fault})
			}
			places[i].note(in, j)
		}
	}
	if len(places) == 0 {
		return nil
	}
	missing := new(MissingError)
	for _, p := range places {
		missing.lines = append(missing.lines, p.String())
	}
	return missing
}

// lookFor returns what is wrong with an input, as far as a look from outside tells.
func lookFor(in configs.Input) error {
	if in.Folder && datasets.NamesShards(in.Path) {
		return nil // data sets know their patterns
	}
	info, err := os.Stat(in.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("is not there")
	case err != nil:
		return fmt.Errorf("cannot be found: %w", err)
	case in.Folder && !info.IsDir():
		return errors.New("is a file: want a folder, or shards (.tar)")
	case !in.Folder && info.IsDir():
		return errors.New("is a folder: want a file")
	case !in.Filled:
		return nil
	}
	f, err := os.Open(in.Path)
	if err != nil {
		return fmt.Errorf("cannot be opened: %w", err)
	}
	defer f.Close() // it was looked at only
	if _, err := f.Readdirnames(1); errors.Is(err, io.EOF) {
		return errors.New("is an empty folder")
	}
	return nil // what else is wrong, data sets say
}

func (p *missingPlace) note(in configs.Input, j Job) {
	if !slices.Contains(p.fields, in.Field) {
		want := "FILE"
		if in.Folder {
			want = "DIR"
		}
		p.fields, p.wants = append(p.fields, in.Field), append(p.wants, in.Field+"="+want)
	}
	if len(p.runs) == 0 || p.runs[len(p.runs)-1].Dir() != j.Dir() {
		p.runs = append(p.runs, j)
	}
}

func (p *missingPlace) String() string {
	slices.Sort(p.fields)
	slices.Sort(p.wants)
	return fmt.Sprintf("%s: %s %v (%s, the first: %s): put it there, or set %s",
		strings.Join(p.fields, ", "), p.path, p.fault, plural.Of(len(p.runs), "run", "runs"), p.runs[0], strings.Join(p.wants, " "))
}
