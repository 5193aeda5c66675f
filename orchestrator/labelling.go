package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"t2sda/datasets"
	"t2sda/internal/freespace"
	"t2sda/internal/interrupt"
	"t2sda/internal/plural"
	"t2sda/internal/raster"
	"t2sda/orchestrator/learner"
)

// makeRound lets the teacher label all target images. What an earlier process has made of the
// same weights is kept.
func (t *trainer) makeRound(ctx context.Context, r *round, it int) error {
	teacher, err := t.learner.Sum()
	if err != nil {
		return err
	}
	known, err := readRound(r.dir)
	if err != nil && !errors.Is(err, errRoundDamaged) {
		return err
	}
	s := roundState{Iteration: it, ConfigHash: t.cfg.Hash(), Teacher: teacher, Images: len(r.index)}
	same := err == nil && s.sameOrigin(&known, hashes(t.cfg))
	if same && known.Whole {
		r.state = known
		return nil
	}
	if !same {
		if err := t.clearRound(r, &s); err != nil {
			return err
		}
	}
	began, total := time.Now(), &learner.Total{}
	if err := t.labelAll(ctx, r, &s, total); err != nil {
		return err
	}
	t.meter.labelled(time.Since(began))
	s.Whole, s.Total = true, total
	r.state = s
	t.log.Info("the teacher has labelled the target set", zap.Int("iteration", it), zap.Int("images", s.Images-len(s.PassedOver)),
		zap.Int64("MB", s.Bytes>>20), zap.Float64("seconds", time.Since(began).Seconds()))
	return t.writeRound(r.dir, &s)
}

// clearRound makes a round's folder anew.
func (t *trainer) clearRound(r *round, s *roundState) error {
	if err := t.disk.RemoveAll(r.dir); err != nil {
		return err
	}
	if err := t.disk.MkdirAll(r.dir); err != nil {
		return err
	}
	return t.writeRound(r.dir, s)
}

// labelAll labels all target images, into s and total. The next image is read meanwhile.
func (t *trainer) labelAll(ctx context.Context, r *round, s *roundState, total *learner.Total) error {
	ctx, end := context.WithCancel(ctx)
	images := t.lookAhead(ctx, r)
	defer func() {
		end()
		for range images { // what is read ahead ends before the data are closed
		}
	}()
	for i := range s.Images {
		bytes, err := t.labelImage(ctx, r, i, <-images, total)
		if ctx.Err() != nil {
			return interrupt.Explain(ctx.Err(), "stopped after iteration %d", s.Iteration)
		}
		t.meter.working("labelling the target set", i+1, s.Images)
		if fault := new(faultError); errors.As(err, &fault) && t.cfg.SkipsBadFiles() {
			s.PassedOver = append(s.PassedOver, fault.Fault)
			continue
		}
		if s.Bytes += int64(bytes); err == nil {
			free, known := freespace.Of(r.dir)
			err = enoughRoom(free, known, s.Bytes, i+1-len(s.PassedOver), s.Images-i-1)
		}
		if err != nil {
			return fmt.Errorf("labels of the target set before iteration %d: %w", s.Iteration, err)
		}
	}
	if total.Counts == nil {
		return fmt.Errorf("%s: none of the target images can be read", r.dir)
	}
	return nil
}

// enoughRoom refuses to go on where the labels of the images that are left, of the mean size of
// those that are done, are more than fits on the disk.
func enoughRoom(free uint64, known bool, bytes int64, done, left int) error {
	need := float64(bytes) / float64(done) * float64(left)
	if !known || float64(free) >= need {
		return nil
	}
	return fmt.Errorf("those of the %s that are left will take about %.0f MB, and %.0f MB are free: make room, or take fewer target images", plural.Of(left, "image", "images"), need/1e6, float64(free)/1e6)
}

// faultError is an image that cannot be used.
type faultError struct{ datasets.Fault }

func (e *faultError) Error() string { return e.Fault.Error }

// looked is what a round's folder or the data set has of a target image.
type looked struct {
	soft  *learner.Soft // an earlier process's
	bytes int           // of its file
	image *raster.Image
	err   error
}

// lookAhead reads target images, or their labels if they are there, in order and one before it is
// asked for.
func (t *trainer) lookAhead(ctx context.Context, r *round) <-chan looked {
	images := make(chan looked)
	go func() {
		defer close(images)
		for i := range len(r.index) {
			select {
			case images <- t.look(ctx, r, i):
			case <-ctx.Done():
				return
			}
		}
	}()
	return images
}

func (t *trainer) look(ctx context.Context, r *round, i int) (l looked) {
	item := t.data.target.Item(i)
	if info, err := os.Stat(r.file(i)); err == nil {
		if l.soft, err = readSoft(r.file(i), item.ID); err == nil {
			l.bytes = int(info.Size())
			return l
		}
	}
	l.image, l.err = t.data.loader.TargetImage(ctx, i)
	return l
}

// labelImage makes the labels of one target image unless they are there, adds them to the total
// and returns the file's size. An image that cannot be used is a [faultError].
func (t *trainer) labelImage(ctx context.Context, r *round, i int, l looked, total *learner.Total) (bytes int, err error) {
	item := t.data.target.Item(i)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case l.soft != nil:
		return l.bytes, total.Add(l.soft)
	case l.err != nil:
		return 0, &faultError{datasets.Fault{File: item.Image, Error: l.err.Error()}}
	}
	s, err := t.learner.Assess(ctx, l.image)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", item.Image, err)
	}
	if bytes, err = writeSoft(t.disk, r.file(i), item.ID, s); err != nil {
		return 0, err
	}
	return bytes, total.Add(s)
}
