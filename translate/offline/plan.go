package offline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"t2sda/datasets"
	"t2sda/internal/atomicfile"
	"t2sda/internal/realpath"
)

// Files in a folder of translated pictures, besides them.
const (
	recordFile = "translation.json"   // how they were made
	redoneFile = "translation.redone" // while an earlier run's are replaced: those that were, one a line
)

// plan is what a run has to write.
type plan struct {
	outputs []string // by source picture
	there   []bool   // written by an earlier run, and kept
	kept    int
	// replaces is whether pictures of an earlier run are made anew. Until the last one is, [redoneFile]
	// says which are: whoever stops before would otherwise go on with pictures of both runs.
	replaces bool
}

// newPlan names the files to write and checks that writing them harms nothing.
func newPlan(o Options) (*plan, error) {
	p := &plan{}
	if o.To != nil {
		return &plan{outputs: []string{o.Out}, there: []bool{false}}, nil
	}
	if o.Source.Single() {
		p.outputs = []string{o.Out}
		if !strings.EqualFold(filepath.Ext(o.Out), ".png") {
			return nil, fmt.Errorf("translate: output %s: the result is a PNG; name it .png", o.Out)
		}
	} else if err := p.name(o); err != nil {
		return nil, err
	}
	p.there = make([]bool, len(p.outputs))
	if err := p.spare(o); err != nil {
		return nil, err
	}
	if o.Source.Single() {
		return p, nil
	}
	return p, p.look(o)
}

// name gives each picture its path below the source with the extension .png.
func (p *plan) name(o Options) error {
	if o.Out == "" {
		return errors.New("translate: no folder to write to")
	}
	from := map[string]string{}
	for i := range o.Source.Len() {
		file, rel := o.Source.path(i)
		out := filepath.Join(o.Out, filepath.FromSlash(strings.TrimSuffix(rel, path.Ext(rel))+".png"))
		if other, taken := from[out]; taken {
			return fmt.Errorf("translate: %s and %s would both become %s", other, file, out)
		}
		from[out] = file
		p.outputs = append(p.outputs, out)
	}
	return nil
}

// spare refuses outputs that would replace a picture that is read, or lie in a
// folder of them, symbolic links resolved. A single picture may be written
// beside others.
func (p *plan) spare(o Options) error {
	roots, err := spared(o)
	if err != nil {
		return fmt.Errorf("translate: %w", err)
	}
	read := realpath.Spared{Folders: roots}
	for _, set := range append([]*Set{o.Source, o.Target}, o.Read...) {
		if set == nil {
			continue
		}
		for i := range set.Len() {
			file, _ := set.path(i)
			read.Files.Add(file)
		}
	}
	outputs := p.outputs
	if !o.Source.Single() {
		outputs = append(slices.Clip(outputs), filepath.Join(o.Out, recordFile), filepath.Join(o.Out, redoneFile))
	}
	for _, out := range outputs {
		root, file, err := read.Meets(out)
		switch {
		case err != nil:
			return fmt.Errorf("translate: output: %w", err)
		case root != "":
			return fmt.Errorf("translate: output %s would be written over the pictures in %s: choose another place to write to", out, root)
		case file != "":
			return fmt.Errorf("translate: output %s is %s, which is read: choose another place to write to", out, file)
		}
	}
	return nil
}

// spared lists the real paths of files and folders that are left alone.
func spared(o Options) (roots []string, err error) {
	all := append([]string{o.Source.Root()}, o.Spare...)
	if o.Target != nil {
		all = append(all, o.Target.Root())
	}
	for _, root := range all {
		if datasets.NamesShards(root) {
			continue // which no picture's name is
		}
		info, err := os.Stat(root)
		if err != nil {
			return nil, err
		}
		if info.IsDir() && o.Source.Single() {
			continue
		}
		real, err := realpath.Of(root)
		if err != nil {
			return nil, err
		}
		roots = append(roots, real)
	}
	return roots, nil
}

// look finds what earlier runs have written.
func (p *plan) look(o Options) error {
	for i, out := range p.outputs {
		if _, err := os.Stat(out); err == nil {
			p.there[i] = true
			p.kept++
		}
	}
	if p.kept == 0 {
		return nil
	}
	if o.Overwrite {
		p.replaces, p.there, p.kept = true, make([]bool, len(p.outputs)), 0
		return nil
	}
	if o.Resume {
		if err := p.lookRedone(o); err != nil {
			return err
		}
	}
	if !o.Resume {
		return fmt.Errorf("translate: output: %d of the %d pictures are in %s already: --resume keeps them and makes the others, --overwrite makes all anew",
			p.kept, len(p.outputs), o.Out)
	}
	return checkRecord(o)
}

// lookRedone leaves, of what is there, the pictures that a run which replaced others has made, if one was
// stopped.
func (p *plan) lookRedone(o Options) error {
	text, err := os.ReadFile(filepath.Join(o.Out, redoneFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("translate: output: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	redone := map[string]bool{}
	for _, line := range lines[:len(lines)-1] { // the last one is not whole
		redone[line] = true
	}
	p.replaces, p.kept = true, 0
	for i := range p.there {
		if p.there[i] = p.there[i] && redone[p.line(o, i)]; p.there[i] {
			p.kept++
		}
	}
	return nil
}

// line names picture i in [redoneFile].
func (p *plan) line(o Options, i int) string {
	_, rel := o.Source.path(i)
	return strconv.Quote(rel)
}

// redo opens [redoneFile] where pictures are replaced, and returns what notes that picture i was. done
// closes it; it goes when all were.
func (p *plan) redo(o Options) (note func(i int) error, done func(all bool) error, err error) {
	if !p.replaces {
		if !o.Source.Single() {
			_ = os.Remove(filepath.Join(o.Out, redoneFile)) // of pictures that somebody has removed since
		}
		return func(int) error { return nil }, func(bool) error { return nil }, nil
	}
	name, flags := filepath.Join(o.Out, redoneFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND
	if o.Overwrite {
		flags |= os.O_TRUNC
	}
	file, err := os.OpenFile(name, flags, 0o666)
	if err != nil {
		return nil, nil, fmt.Errorf("translate: output: %w", err)
	}
	note = func(i int) error {
		_, err := file.WriteString(p.line(o, i) + "\n") // one call: lines of several goroutines do not mix
		return err
	}
	return note, func(all bool) error {
		err := file.Close()
		if all && err == nil {
			err = os.Remove(name)
		}
		return err
	}, nil
}

// checkRecord returns an error unless the pictures in the folder were made with
// the same settings.
func checkRecord(o Options) error {
	name := filepath.Join(o.Out, recordFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("translate: output: the pictures in %s were not made here (there is no %s): write to another folder, or --overwrite them", o.Out, recordFile)
	}
	if err != nil {
		return fmt.Errorf("translate: output: %w", err)
	}
	var record map[string]string
	if err := json.Unmarshal(text, &record); err != nil {
		return fmt.Errorf("translate: output: %s: %w", name, err)
	}
	all := maps.Clone(o.Settings)
	maps.Copy(all, record)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if record[key] != o.Settings[key] {
			return fmt.Errorf("translate: output: %s says that the pictures there were made with %s %q, not %q: give that, write to another folder, or --overwrite them",
				name, key, record[key], o.Settings[key])
		}
	}
	return nil
}

// begin makes the folder and keeps the settings in it.
func (p *plan) begin(o Options) error {
	if o.Source.Single() {
		return nil
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return fmt.Errorf("translate: output: %w", err)
	}
	record := filepath.Join(o.Out, recordFile)
	_ = atomicfile.RemoveLeftoversBeside(append(slices.Clip(p.outputs), record)...) // what stays costs space only
	if err := atomicfile.WriteJSON(record, o.Settings); err != nil {
		return fmt.Errorf("translate: output: %w", err)
	}
	return nil
}
