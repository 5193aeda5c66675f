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

	"go.uber.org/zap"

	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/orchestrator/learner"
)

// A round begins with the teacher labelling the whole target set. Its labels lie in the run's
// directory, one file for each image, and are learned with until the next round begins. The
// folders of earlier rounds stay as long as there is a checkpoint to resume from within them.

const (
	labelsDir   = "labels"
	roundPrefix = "round_" // + the iteration that it begins before, zero-padded
	roundFile   = "round.json"
	softSuffix  = ".soft"
)

// roundState is a round's round.json, written when its folder is made and when it is whole.
type roundState struct {
	Iteration  int              `json:"iteration"`
	ConfigHash string           `json:"config_hash"`
	Teacher    uint32           `json:"teacher"` // checksum of the weights that make the labels
	Images     int              `json:"images"`  // of the target set
	Whole      bool             `json:"whole"`
	Bytes      int64            `json:"bytes"`                 // of all files of labels
	PassedOver []datasets.Fault `json:"passed_over,omitempty"` // images that have no labels, nor are drawn in the round
	Total      *learner.Total   `json:"total,omitempty"`
}

// sameOrigin reports whether labels come from the same weights, images and configuration.
func (s *roundState) sameOrigin(other *roundState, hashes []string) bool {
	return s.Iteration == other.Iteration && s.Teacher == other.Teacher && s.Images == other.Images && slices.Contains(hashes, other.ConfigHash)
}

// round is the one that a run is in.
type round struct {
	dir   string
	state roundState
	index map[string]int // of target images by their names
}

// newRound is the round that begins before iteration start, of which nothing is known yet.
func (t *trainer) newRound(start int) *round {
	r := &round{dir: roundPath(t.dir, start), index: map[string]int{}}
	for i := range t.data.target.Len() {
		r.index[t.data.target.Item(i).ID] = i
	}
	return r
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

// softOf returns the labels of a target image of the iteration's batches, see [trainer.readLabels].
func (t *trainer) softOf(id string) (*learner.Soft, error) {
	s, ok := t.labels[id]
	if !ok {
		return nil, fmt.Errorf("target image %s: no labels were read for the iteration", id)
	}
	return s, nil
}

// readLabels reads the labels of a batch's target images, before anything of the iteration has
// changed the state, so that a run whose labels cannot be read loses nothing.
func (t *trainer) readLabels(ids []string) error {
	if t.round == nil {
		return nil
	}
	for _, id := range ids {
		if t.labels[id] != nil {
			continue
		}
		s, err := t.round.soft(id)
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, errSoftDamaged):
			return fmt.Errorf("%w; the teacher that made these labels has learned since: begin a new run", err)
		case err != nil:
			return fmt.Errorf("labels of target image %s: %w: see to it that the file can be read", id, err)
		}
		t.labels[id] = s
	}
	return nil
}

// roundOf returns where the round of iteration it begins, -1 before the first one.
func roundOf(starts []int, it int) int {
	start := -1
	for _, s := range starts {
		if s <= it {
			start = s
		}
	}
	return start
}

// beginRound sees to it that the labels of the round of iteration it are there.
func (t *trainer) beginRound(ctx context.Context, it int) error {
	start := roundOf(t.cfg.RoundStarts(), it)
	if start < 0 || t.round != nil && t.round.state.Iteration == start {
		return nil
	}
	r := t.newRound(start)
	if it != start {
		if err := t.rejoinRound(r, start); err != nil {
			return err
		}
		t.round = r
		return nil
	}
	if err := t.makeRound(ctx, r, it); err != nil {
		return t.stopRound(it, err)
	}
	t.round = r
	if err := t.learner.BeginRound(r.state.Total, it); err != nil {
		return err
	}
	return t.forgetRounds()
}

// rejoinRound goes on within a round. Only its labels are needed for that, and which images have
// none: what else round.json says, the checkpoint holds.
func (t *trainer) rejoinRound(r *round, start int) error {
	known, err := readRound(r.dir)
	if err != nil && !errors.Is(err, errRoundDamaged) {
		return err
	}
	if r.state = known; err == nil && known.Whole && known.Images == len(r.index) {
		return nil
	}
	missing := t.unlabelled(r)
	if len(missing) == len(r.index) || len(missing) > 0 && (err == nil && r.state.Images > 0 || !t.cfg.SkipsBadFiles()) {
		return fmt.Errorf("%s: the labels that the teacher made of all target images before iteration %d are not all there, and it has learned since: begin a new run", r.dir, start)
	}
	r.state = roundState{Iteration: start, Images: len(r.index), PassedOver: missing}
	t.log.Warn("the round's "+roundFile+" is lost or damaged: its labels are learned with as they are", zap.String("folder", r.dir), zap.Int("images without labels", len(missing)))
	return nil
}

// unlabelled lists the target images of which a round has no file.
func (t *trainer) unlabelled(r *round) (missing []datasets.Fault) {
	for i := range t.data.target.Len() {
		if !exists(r.file(i)) {
			missing = append(missing, datasets.Fault{File: t.data.target.Item(i).Image, Error: "no labels: " + r.file(i) + " is not there"})
		}
	}
	return missing
}

// errRoundDamaged marks a round.json that is not what was written.
var errRoundDamaged = errors.New("it is damaged")

// readRound reads a round's state, the zero value if there is none.
func readRound(dir string) (s roundState, err error) {
	path := filepath.Join(dir, roundFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return roundState{}, fmt.Errorf("%s: %w: %w", path, errRoundDamaged, err)
	}
	if s.Whole && s.Total == nil {
		return roundState{}, fmt.Errorf("%s: %w: the sums over the target set are not there", path, errRoundDamaged)
	}
	return s, nil
}

// writeRound writes a round's state in few bytes: the sums are thousands of numbers.
func (t *trainer) writeRound(dir string, s *roundState) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, roundFile), err)
	}
	return t.disk.Write(filepath.Join(dir, roundFile), text)
}

// streamOf returns the stream of batches from iteration it on. Images that have no labels in a
// round that has just been taken up are not drawn in it, so batches that were made ahead of
// it are made anew.
func (t *trainer) streamOf(ctx context.Context, it int, stream *datasets.Stream, before *round) *datasets.Stream {
	if t.round == before || len(t.round.state.PassedOver) == 0 && (before == nil || len(before.state.PassedOver) == 0) {
		return stream
	}
	stream.Close()
	t.data.loader.PassOver(t.round.state.PassedOver)
	return t.data.loader.Stream(ctx, it)
}

// stopRound ends training with the error of a round that was not finished: what is trained so
// far is sound, and saved.
func (t *trainer) stopRound(it int, err error) error {
	switch {
	case errors.Is(err, learner.ErrNotFinite) || engine.OutOfMemory(err):
		return t.explain(it, err)
	case it == 0:
		return err // there is nothing to save
	}
	return t.saveAndStop(err)
}

// forgetRounds removes the labels of all rounds but the one that the run is in and those within
// which it may be resumed.
func (t *trainer) forgetRounds() error {
	last, errLast := namedCheckpoints(t.dir, lastPrefix)
	best, errBest := namedCheckpoints(t.dir, bestPrefix)
	if err := errors.Join(errLast, errBest); err != nil {
		return err
	}
	starts := t.cfg.RoundStarts()
	needed := map[string]bool{roundPath(t.dir, roundOf(starts, t.progress.Iteration)): true}
	for _, c := range slices.Concat(last, best) {
		needed[roundPath(t.dir, roundOf(starts, c.iteration))] = true
	}
	return t.keepRounds(needed)
}

// leaveLastRound removes the labels of all rounds but the last, with which an extension of the
// finished run goes on.
func (t *trainer) leaveLastRound() {
	last := roundOf(t.cfg.RoundStarts(), t.progress.Iteration)
	if err := t.keepRounds(map[string]bool{roundPath(t.dir, last): true}); err != nil {
		t.warn("labels of rounds are still there, which nothing needs: " + err.Error())
	}
}

// keepRounds removes the folders of all rounds but some.
func (t *trainer) keepRounds(needed map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(t.dir, labelsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(t.dir, labelsDir, e.Name())
		if strings.HasPrefix(e.Name(), roundPrefix) && !needed[path] {
			if err := t.disk.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}
