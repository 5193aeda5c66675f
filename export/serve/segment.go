package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"t2sda/export/predict"
	"t2sda/internal/raster"
)

// query is what a request to /v1/segment asks for.
type query struct {
	model      *model
	answer     string
	confidence bool
	opacity    float64
}

// segment answers POST /v1/segment.
func (s *Server) segment(w http.ResponseWriter, r *http.Request) error {
	q, err := s.query(r)
	if err != nil {
		return err
	}
	leave, ok := s.gate.enter()
	if !ok {
		p := problemf(http.StatusTooManyRequests, "%d requests are being answered or wait, more are not taken: ask again later", cap(s.gate.inside))
		p.retryAfter = s.gate.retryAfter()
		return p
	}
	defer leave()
	began := time.Now()
	ctx, cancel := context.WithDeadline(r.Context(), began.Add(s.o.Limits.Time))
	defer cancel()
	content, err := s.body(w, r)
	if err != nil {
		return err
	}
	read := time.Now()
	end, err := s.gate.begin(ctx)
	if err != nil {
		return s.late(err)
	}
	defer end()
	work := &work{query: q, times: []timing{{"upload", read.Sub(began)}, {"queue", time.Since(read)}}}
	kind, text, err := s.answer(ctx, work, content)
	if err != nil {
		return s.late(err)
	}
	s.metrics.pixels.Add(int64(work.w) * int64(work.h))
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	h.Set("Server-Timing", work.timings())
	_, _ = w.Write(text) // whoever asked may be gone
	return nil
}

// query reads what is asked for.
func (s *Server) query(r *http.Request) (q query, err error) {
	if q.answer, err = negotiate(r.Header.Values("Accept")); err != nil {
		return q, err
	}
	if err := checkContentType(r.Header.Get("Content-Type")); err != nil {
		return q, err
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, problemf(http.StatusBadRequest, "the query cannot be read: %v", err)
	}
	q.opacity = 0.5
	for name, all := range values {
		switch name {
		case "model":
		case "confidence":
			if q.confidence, err = strconv.ParseBool(all[0]); err != nil {
				return q, problemf(http.StatusBadRequest, "confidence=%s: want true or false", all[0])
			}
		case "opacity":
			if q.opacity, err = strconv.ParseFloat(all[0], 64); err != nil || !(q.opacity >= 0 && q.opacity <= 1) {
				return q, problemf(http.StatusBadRequest, "opacity=%s: want a number from 0 to 1", all[0])
			}
		default:
			return q, problemf(http.StatusBadRequest, "the query has %s, which is none of model, confidence, opacity", name)
		}
	}
	q.model, err = s.model(values.Get("model"))
	return q, err
}

// model returns the model that a request names.
func (s *Server) model(key string) (*model, error) {
	if key == "" {
		key = mainModel
	}
	var keys []string
	for _, m := range s.models {
		if m.key == key {
			return m, nil
		}
		keys = append(keys, m.key)
	}
	return nil, problemf(http.StatusBadRequest, "model=%s: there is %s", key, strings.Join(keys, " and "))
}

// body reads the image's file, until the deadline that [Server.within] has set and up to the limit.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	most := s.o.Limits.Bytes
	tooLarge := problemf(http.StatusRequestEntityTooLarge, "the body is larger than the %d bytes that are taken", most)
	if r.ContentLength > most {
		return nil, tooLarge
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, problemf(http.StatusRequestTimeout, "the upload did not end within %v", s.o.Limits.Time)
	case err != nil:
		return nil, problemf(http.StatusBadRequest, "the body ended early: %v", err)
	case len(content) == 0:
		return nil, problemf(http.StatusBadRequest, "the body is empty: want the file of an image")
	}
	return content, nil
}

// late explains the end of a request's time.
func (s *Server) late(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	p := problemf(http.StatusServiceUnavailable, "there was no answer within %v: the image is too large for this machine, or too many wait", s.o.Limits.Time)
	p.retryAfter = s.gate.retryAfter()
	return p
}

// work is a request under way.
type work struct {
	query
	w, h  int // of the image
	times []timing
}

// timing is how long a step took.
type timing struct {
	step string
	took time.Duration
}

// timings writes the field Server-Timing, in milliseconds.
func (w *work) timings() string {
	var all []string
	for _, t := range w.times {
		all = append(all, fmt.Sprintf("%s;dur=%.1f", t.step, float64(t.took.Microseconds())/1000))
	}
	return strings.Join(all, ", ")
}

// step times what do does, unless the request's time is over.
func (w *work) step(ctx context.Context, name string, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	began := time.Now()
	err := do()
	w.times = append(w.times, timing{name, time.Since(began)})
	return err
}

// answer predicts an image and writes the answer that is asked for.
func (s *Server) answer(ctx context.Context, k *work, content []byte) (kind string, text []byte, err error) {
	p := k.model.p
	task := p.NewTask()
	defer task.Close()
	var pic *picture
	if err := k.step(ctx, "decode", func() error {
		if pic, err = decode(content, p, s.o.Limits.Pixels, k.query.answer == answerOverlay); err != nil {
			return err
		}
		k.w, k.h = pic.w, pic.h
		return task.Fill(pic.input)
	}); err != nil {
		return "", nil, err
	}
	if err := k.step(ctx, "run", func() error { return k.model.runner.run(ctx, task) }); err != nil {
		return "", nil, err
	}
	err = k.step(ctx, "answer", func() error {
		var labels *raster.Labels
		if labels, err = task.Labels(pic.w, pic.h); err != nil {
			return err
		}
		kind = k.query.answer
		switch kind {
		case answerLabels:
			text, err = raster.EncodePNG(labels.Gray())
		case answerOverlay:
			text, err = overlay(p.Space(), pic.whole, labels, k.opacity)
		default:
			var c *predict.Confidence
			if k.confidence {
				c = task.Confidence(confidenceSize(pic.w, pic.h))
			}
			text, err = newResult(p.Space(), labels, c).encode()
		}
		return err
	})
	return kind, text, err
}
