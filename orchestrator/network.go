package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fit"
	"t2sda/losses"
	"t2sda/orchestrator/features"
	"t2sda/orchestrator/learner"
)

// The weights of a run that [OpenNetwork] reads.
const (
	Student = "student"
	Teacher = "teacher" // has the student's running statistics: the EMA moves parameters only, as DAFormer's does
)

// Network is what a run has trained, as of one of its checkpoints. Of one that was imported, only
// Arch and Space are set.
type Network struct {
	Config     configs.Config
	Dir        string // of the run
	Checkpoint string // its name
	Iteration  int    // iterations done
	Arch       nets.Arch
	Space      datasets.Space
	// Unverified says why it is not known whether the checkpoint is whole; nil where
	// it is.
	Unverified error

	tensors []weights.Tensor // parameters and running statistics
}

// OpenNetwork reads the student or teacher of a run: of its last checkpoint
// ("last"), of the best evaluated one ("best"), or of the one of that name. It
// needs neither ONNX Runtime nor the run's data. A directory without a run, a
// checkpoint that is not there or belongs to another configuration, or is
// not, byte for byte, what was written, and tensors that do not fit the network
// are errors.
func OpenNetwork(run, checkpoint, which string) (*Network, error) {
	cfg, err := runConfig(run)
	if err != nil {
		return nil, err
	}
	switch {
	case which != Student && which != Teacher:
		return nil, fmt.Errorf("weights: want %s or %s, have %q", Student, Teacher, which)
	case which == Teacher && !cfg.UsesTeacher():
		return nil, fmt.Errorf("method %s keeps no teacher", cfg.Method)
	}
	dir, err := findCheckpoint(run, checkpoint)
	if err != nil {
		return nil, err
	}
	from, err := openSaved(dir, hashes(cfg)...)
	if err != nil {
		return nil, err
	}
	p := from.progress
	if err := p.Space.Validate(); err != nil {
		return nil, fmt.Errorf("%s: space: %w", filepath.Join(dir, stateFile), err)
	}
	n := &Network{
		Config: cfg, Dir: run, Checkpoint: filepath.Base(dir), Iteration: p.Iteration,
		Arch: learner.Arch(cfg, len(p.Space.Classes)), Space: p.Space,
	}
	if from.unsummed != nil {
		n.Unverified = fmt.Errorf("checkpoint %s: %w", dir, from.unsummed)
	}
	if err := n.read(from, which); err != nil {
		return nil, err
	}
	return n, from.rest()
}

// read fills the tensors from a checkpoint.
func (n *Network) read(from *saved, which string) error {
	params, errParams := n.Arch.Params()
	all, errAll := fit.Tensors(n.Arch)
	if err := errors.Join(errParams, errAll); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	var want []weights.Tensor
	for _, t := range all {
		want = append(want, weights.Tensor{Name: t.Name, Shape: t.Shape, Data: make([]float32, graphs.Shape(t.Shape).Size())})
	}
	if err := from.fill(studentFile, want); err != nil {
		return err
	}
	if which == Teacher {
		if err := from.fill(teacherFile, want[:len(params)]); err != nil {
			return err
		}
	}
	n.tensors = want
	return nil
}

// Tensors lists the tensors of the network as it is deployed: parameters in the order
// of their arena, then running statistics. Low-rank adapters are part of what they
// adapt. They may share the network's memory.
func (n *Network) Tensors() ([]weights.Tensor, error) {
	plain, lookup, err := n.Arch.Deployed(n.Lookup)
	if err != nil {
		return nil, err
	}
	infos, err := fit.Tensors(plain)
	if err != nil {
		return nil, err
	}
	out := make([]weights.Tensor, len(infos))
	for i, t := range infos {
		data, err := lookup(t.Name)
		if err != nil {
			return nil, err
		}
		out[i] = weights.Tensor{Name: t.Name, Shape: t.Shape, Data: data}
	}
	return out, nil
}

// Features says what features are taken of.
func (n *Network) Features() features.Network {
	return features.Network{Arch: n.Arch, Lookup: n.Lookup, Rule: losses.GridRule(n.Config.Loss.Pull.GridLabels)}
}

// Lookup returns a parameter or running statistic by name, as [nets.New] asks
// for it.
func (n *Network) Lookup(name string) ([]float32, error) {
	if i := slices.IndexFunc(n.tensors, func(t weights.Tensor) bool { return t.Name == name }); i >= 0 {
		return n.tensors[i].Data, nil
	}
	return nil, fmt.Errorf("the network has no parameter or buffer %q", name)
}

// Source returns where the run's source images lie. Where the method reads none
// (the oracle), its configuration is read again as that of one that does, so that
// a root that is missing there is an error.
func (n *Network) Source() (configs.Dataset, error) {
	if !n.Config.LabelsTarget() {
		return n.Config.Data.Source, nil
	}
	cfg, err := configs.Load(filepath.Join(n.Dir, ConfigFile), []string{"method=" + configs.SourceOnly})
	if err != nil {
		return configs.Dataset{}, fmt.Errorf("method %s reads no source images: %w", n.Config.Method, err)
	}
	return cfg.Data.Source, nil
}

// OpenDataset opens labelled images of the run; c is its configuration's entry
// field, or a variation of it. It is an error when the label map's classes are
// not the network's, or when an image has no label, unless the run passes over
// bad files: reading that image is the error then.
func (n *Network) OpenDataset(ctx context.Context, field string, c configs.Dataset) (*datasets.Dataset, error) {
	if err := checkStreets(n.Config, c.Root); err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	d, err := openDataset(ctx, field, c, n.Config, nil, !n.Config.SkipsBadFiles())
	if err != nil {
		return nil, err
	}
	if have := d.Space(); !have.Equal(n.Space) {
		return nil, fmt.Errorf("%s.map leads to classes %v, the network knows %v", field, have.Names(), n.Space.Names())
	}
	return d, nil
}

// Baseline returns the directory of the source-only run that was made for the
// one in dir, and whether there is one.
func Baseline(dir string) (string, bool) {
	path := filepath.Join(dir, baselineName)
	_, err := os.Stat(filepath.Join(path, ConfigFile))
	return path, err == nil
}

// runConfig reads the configuration of the run in dir.
func runConfig(dir string) (configs.Config, error) {
	path := filepath.Join(dir, ConfigFile)
	if _, err := os.Stat(path); err != nil {
		return configs.Config{}, fmt.Errorf("%s is no run directory: %w", dir, err)
	}
	return configs.Load(path, nil)
}

// findCheckpoint returns the directory of a run's checkpoint: last, best or a
// name.
func findCheckpoint(run, want string) (string, error) {
	if prefix := map[string]string{"last": lastPrefix, "best": bestPrefix}[want]; prefix != "" {
		paths, err := checkpoints(run, prefix)
		if err != nil {
			return "", err
		}
		if len(paths) > 0 {
			return paths[len(paths)-1], nil
		}
	}
	names, err := listCheckpoints(run)
	if err != nil {
		return "", err
	}
	switch {
	case slices.Contains(names, want):
		return filepath.Join(run, checkpointDir, want), nil
	case len(names) == 0:
		return "", fmt.Errorf("%s holds no checkpoint", run)
	}
	return "", fmt.Errorf("%s holds no checkpoint %q, only %s", run, want, strings.Join(names, ", "))
}
