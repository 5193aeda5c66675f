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
	"strings"

	"t2sda/datasets"
	"t2sda/internal/atomicfile"
	"t2sda/internal/inode"
	"t2sda/internal/realpath"
)

// recordFile says, in a folder of translated pictures, how they were made.
const recordFile = "translation.json"

// plan is what a run has to write.
type plan struct {
	outputs []string // by source picture
	there   []bool   // written by an earlier run, and kept
	kept    int
	// replaced are those of an earlier run that are made anew; nil: none. They are removed
	// first: whoever stops before the last one would go on with pictures of both runs.
	replaced []bool
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
	var read inode.Set
	for _, set := range []*Set{o.Source, o.Target} {
		if set == nil {
			continue
		}
		for i := range set.Len() {
			file, _ := set.path(i)
			read.Add(file)
		}
	}
	for _, out := range p.outputs {
		real, err := realpath.Of(out)
		if err != nil {
			return fmt.Errorf("translate: output: %w", err)
		}
		for _, root := range roots {
			if realpath.Within(real, root) {
				return fmt.Errorf("translate: output %s would be written over the pictures in %s: choose another place to write to", out, root)
			}
		}
		if file, is := read.Find(out); is {
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
		p.replaced, p.there, p.kept = p.there, make([]bool, len(p.outputs)), 0
		return nil
	}
	if !o.Resume {
		return fmt.Errorf("translate: output: %d of the %d pictures are in %s already: --resume keeps them and makes the others, --overwrite makes all anew",
			p.kept, len(p.outputs), o.Out)
	}
	return checkRecord(o)
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
	for i, is := range p.replaced {
		if file := atomicfile.Target(p.outputs[i]); is && file != "" {
			if err := os.Remove(file); err != nil {
				return fmt.Errorf("translate: output: %w", err)
			}
		}
	}
	if err := atomicfile.WriteJSON(record, o.Settings); err != nil {
		return fmt.Errorf("translate: output: %w", err)
	}
	return nil
}
