package serve

import (
	"fmt"
	"log"
	"os"
	"time"

	"t2sda/export/predict"
)

// Options of [New].
type Options struct {
	// Model answers; Compare, if not nil, answers requests for the second model, whose
	// classes are the same. Both stay the caller's to close, after the server.
	Model, Compare *predict.Predictor
	// Token is what requests must bring along ("Authorization: Bearer …"); empty: nothing.
	Token string
	// Local refuses requests that name the server by anything but this machine's own
	// names, so that no page from elsewhere reaches it under a name of its own.
	Local  bool
	Limits Limits
	// Web is the folder of ONNX Runtime for browsers; empty: WebMissing says why the
	// page cannot run the model itself, and what to do.
	Web, WebMissing string
	Version         string      // of the program
	Log             *log.Logger // gets what fails on the server's side; nil: nothing is logged
}

// Limits bound what requests may take.
type Limits struct {
	Bytes       int64         // of an image's file
	Pixels      int           // of an image, looked at before it is decoded
	Time        time.Duration // of a request, its upload included; an end waits for as long, and for answers to be taken
	Concurrency int           // images that are decoded and answered at once
	Queue       int           // requests that wait beyond these; the next get status 429
	Batch       int           // images that share a run, of models that take several
}

// DefaultLimits are for a machine of a few cores: at their worst some 2 GB.
func DefaultLimits() Limits {
	return Limits{Bytes: 32 << 20, Pixels: 25_000_000, Time: 30 * time.Second, Concurrency: 2, Queue: 16, Batch: 8}
}

func (l Limits) validate() error {
	switch {
	case l.Bytes < 1:
		return fmt.Errorf("%d bytes: want how large an image's file may be", l.Bytes)
	case l.Pixels < 1:
		return fmt.Errorf("%d pixels: want how large an image may be", l.Pixels)
	case l.Time <= 0:
		return fmt.Errorf("a time limit of %v: want how long a request may take", l.Time)
	case l.Concurrency < 1:
		return fmt.Errorf("concurrency %d: want at least 1", l.Concurrency)
	case l.Queue < 0:
		return fmt.Errorf("a queue of %d: want 0 or more", l.Queue)
	case l.Batch < 1:
		return fmt.Errorf("a batch of %d: want at least 1", l.Batch)
	}
	return nil
}

// model is one of the models that are served.
type model struct {
	key    string // as requests name it
	p      *predict.Predictor
	runner *runner
	file   os.FileInfo // when the server began
}

// The names by which requests ask for the models.
const (
	mainModel    = "main"
	compareModel = "compare"
)

func newModel(key string, p *predict.Predictor, most int, ran func(images int)) (*model, error) {
	info, err := os.Stat(p.Name())
	if err != nil {
		return nil, err
	}
	return &model{key: key, p: p, file: info, runner: newRunner(p, most, ran)}, nil
}
