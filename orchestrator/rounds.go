package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"t2sda/datasets"
	"t2sda/internal/interrupt"
	"t2sda/orchestrator/learner"
)

// A round begins with the teacher labelling the whole target set. Its labels lie in the run's
// directory, one file for each image, and are learned with until the next round begins. The
// folder of the round before stays, because a process that dies now goes on from a checkpoint
// that may be of it.

const (
	labelsDir   = "labels"
	roundPrefix = "round_" // + the iteration that it begins before, zero-padded
	roundFile   = "round.json"
	softSuffix  = ".soft"
)

// roundState is a round's round.json, written when its folder is made and when it is whole.
type roundState struct {
	Iteration int            `json:"iteration"`
	Teacher   uint32         `json:"teacher"` // checksum of the weights that make the labels
	Images    int            `json:"images"`  // of the target set
	Whole     bool           `json:"whole"`
	Bytes     int64          `json:"bytes"` // of all files of labels
	Total     *learner.Total `json:"total,omitempty"`
}

// round is the one that a run is in.
type round struct {
	dir   string
	state roundState
	index map[string]int // of target images by their names
}

func roundPath(run string, iteration int) string {
	return filepath.Join(run, labelsDir, fmt.Sprintf("%s%06d", roundPrefix, iteration))
}

func (r *round) file(i int) string {
	return filepath.Join(r.dir, fmt.Sprintf("%06d%s", i, softSuffix))
}

// soft returns the labels of a target image.
func (r *round) soft(id string) (*learner.Soft, error) {
	i, ok := r.index[id]
	if !ok {
		return nil, fmt.Errorf("%s: there is no target image %s", r.dir, id)
	}
	return readSoft(r.file(i), id)
}

// softOf is [round.soft] of the round that the run is in.
func (t *trainer) softOf(id string) (*learner.Soft, error) {
	if t.round == nil {
		return nil, fmt.Errorf("target image %s: no round of labelling has begun", id)
	}
	s, err := t.round.soft(id)
	if err != nil {
		err = fmt.Errorf("%w; the teacher that made these labels has learned since: begin a new run", err)
	}
	return s, err
}

// beginRound sees to it that the labels of the round of iteration it are there.
func (t *trainer) beginRound(ctx context.Context, it int) error {
	start := -1
	for _, s := range t.cfg.RoundStarts() {
		if s <= it {
			start = s
		}
	}
	if start < 0 || t.round != nil && t.round.state.Iteration == start {
		return nil
	}
	r := &round{dir: roundPath(t.dir, start), index: map[string]int{}}
	for i := range t.data.target.Len() {
		r.index[t.data.target.Item(i).ID] = i
	}
	known, err := readRound(r.dir)
	if err != nil {
		return err
	}
	r.state = known
	if !known.Whole || known.Images != t.data.target.Len() {
		if it != start {
			return fmt.Errorf("%s: the labels that the teacher made of all target images before iteration %d are not there, and it has learned since: begin a new run", r.dir, start)
		}
		if err := t.makeRound(ctx, r, it); err != nil {
			return t.stopRound(it, err)
		}
	}
	t.round = r
	if it != start {
		return nil
	}
	if err := t.learner.BeginRound(r.state.Total, it); err != nil {
		return err
	}
	return t.forgetRounds(start)
}

// readRound reads a round's state, the zero value if there is none.
func readRound(dir string) (s roundState, err error) {
	path := filepath.Join(dir, roundFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err == nil && s.Whole && s.Total == nil {
		err = errors.New("the sums over the target set are not there")
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w: remove the folder, so that a run that stopped there makes it again", path, err)
	}
	return s, nil
}

// makeRound lets the teacher label all target images. What an earlier process has made with the
// same weights is kept.
func (t *trainer) makeRound(ctx context.Context, r *round, it int) error {
	teacher, err := t.learner.Sum()
	if err != nil {
		return err
	}
	s := roundState{Iteration: it, Teacher: teacher, Images: t.data.target.Len()}
	if r.state.Teacher != s.Teacher || r.state.Iteration != it || r.state.Images != s.Images {
		if err := t.disk.RemoveAll(r.dir); err != nil {
			return err
		}
		if err := t.disk.MkdirAll(r.dir); err != nil {
			return err
		}
		if err := t.disk.WriteJSON(filepath.Join(r.dir, roundFile), s); err != nil {
			return err
		}
	}
	began, total := time.Now(), &learner.Total{}
	for i := range s.Images {
		if ctx.Err() != nil {
			return interrupt.Explain(ctx.Err(), "stopped after iteration %d", it)
		}
		bytes, err := t.labelImage(ctx, r, i, it, total)
		if err != nil {
			return fmt.Errorf("labels of the target set before iteration %d: %w", it, err)
		}
		s.Bytes += int64(bytes)
	}
	if total.Counts == nil {
		return fmt.Errorf("%s: none of the target images can be read", r.dir)
	}
	s.Whole, s.Total = true, total
	r.state = s
	t.log.Info("the teacher has labelled the target set", zap.Int("iteration", it), zap.Int("images", s.Images),
		zap.Int64("MB", s.Bytes>>20), zap.Float64("seconds", time.Since(began).Seconds()))
	return t.disk.WriteJSON(filepath.Join(r.dir, roundFile), s)
}

// stopRound ends training with the error of a round that was not finished: what is trained so
// far is sound, and saved.
func (t *trainer) stopRound(it int, err error) error {
	switch {
	case errors.Is(err, learner.ErrNotFinite):
		return t.explain(it, err)
	case it == 0:
		return err // there is nothing to save
	}
	return t.saveAndStop(err)
}

// labelImage makes the labels of one target image unless they are there, adds them to the total
// and returns the file's size. An image that is passed over has none.
func (t *trainer) labelImage(ctx context.Context, r *round, i, it int, total *learner.Total) (bytes int, err error) {
	item := t.data.target.Item(i)
	if info, err := os.Stat(r.file(i)); err == nil {
		if s, err := readSoft(r.file(i), item.ID); err == nil {
			return int(info.Size()), total.Add(s)
		}
	}
	// An interrupt ends the round between two images, as it does training between iterations.
	work := context.WithoutCancel(ctx)
	sample, err := t.data.target.LoadImage(work, i)
	if err != nil {
		if t.cfg.SkipsBadFiles() {
			t.skip(it, &Event{}, datasets.Fault{File: item.Image, Error: err.Error()})
			return 0, nil
		}
		return 0, err
	}
	s, err := t.learner.Assess(work, sample.Image)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", item.Image, err)
	}
	if bytes, err = writeSoft(t.disk, r.file(i), item.ID, s); err != nil {
		return 0, err
	}
	return bytes, total.Add(s)
}

// forgetRounds removes the labels of all rounds but the one before that which begins at start.
func (t *trainer) forgetRounds(start int) error {
	entries, err := os.ReadDir(filepath.Join(t.dir, labelsDir))
	if err != nil {
		return err
	}
	starts := t.cfg.RoundStarts()
	before := starts[max(slices.Index(starts, start)-1, 0)]
	for _, e := range entries {
		path := filepath.Join(t.dir, labelsDir, e.Name())
		if strings.HasPrefix(e.Name(), roundPrefix) && path != roundPath(t.dir, start) && path != roundPath(t.dir, before) {
			if err := t.disk.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}
