package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"t2sda/datasets"
	"t2sda/internal/interrupt"
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

// labelAll labels all target images, into s and total.
func (t *trainer) labelAll(ctx context.Context, r *round, s *roundState, total *learner.Total) error {
	for i := range s.Images {
		bytes, err := t.labelImage(ctx, r, i, total)
		if ctx.Err() != nil {
			return interrupt.Explain(ctx.Err(), "stopped after iteration %d", s.Iteration)
		}
		if fault := new(faultError); errors.As(err, &fault) && t.cfg.SkipsBadFiles() {
			s.PassedOver = append(s.PassedOver, fault.Fault)
			continue
		}
		if err != nil {
			return fmt.Errorf("labels of the target set before iteration %d: %w", s.Iteration, err)
		}
		s.Bytes += int64(bytes)
	}
	if total.Counts == nil {
		return fmt.Errorf("%s: none of the target images can be read", r.dir)
	}
	return nil
}

// faultError is an image that cannot be used.
type faultError struct{ datasets.Fault }

func (e *faultError) Error() string { return e.Fault.Error }

// labelImage makes the labels of one target image unless they are there, adds them to the total
// and returns the file's size. An image that cannot be used is a [faultError].
func (t *trainer) labelImage(ctx context.Context, r *round, i int, total *learner.Total) (bytes int, err error) {
	item := t.data.target.Item(i)
	if info, err := os.Stat(r.file(i)); err == nil {
		if s, err := readSoft(r.file(i), item.ID); err == nil {
			return int(info.Size()), total.Add(s)
		}
	}
	image, err := t.data.loader.TargetImage(ctx, i)
	if err != nil {
		return 0, &faultError{datasets.Fault{File: item.Image, Error: err.Error()}}
	}
	s, err := t.learner.Assess(ctx, image)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", item.Image, err)
	}
	if bytes, err = writeSoft(t.disk, r.file(i), item.ID, s); err != nil {
		return 0, err
	}
	return bytes, total.Add(s)
}
