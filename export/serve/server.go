package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Server answers requests with a model's labels.
type Server struct {
	o        Options
	models   []*model
	gate     *gate
	metrics  *metrics
	samples  *samples
	draining atomic.Bool
	handler  http.Handler
}

// New makes a server, which Close ends.
func New(o Options) (*Server, error) {
	if err := o.Limits.validate(); err != nil {
		return nil, err
	}
	s := &Server{o: o, gate: newGate(o.Limits), metrics: newMetrics(), samples: newSamples()}
	main, err := newModel(mainModel, o.Model, o.Limits.Batch, s.metrics.ran)
	if err != nil {
		return nil, err
	}
	s.models = []*model{main}
	if o.Compare != nil {
		second, err := newModel(compareModel, o.Compare, o.Limits.Batch, s.metrics.ran)
		if err == nil && !o.Compare.Space().Equal(o.Model.Space()) {
			second.runner.close()
			err = fmt.Errorf("%s and %s have different classes: what is compared must have the same", o.Model.Name(), o.Compare.Name())
		}
		if err != nil {
			main.runner.close()
			return nil, err
		}
		s.models = append(s.models, second)
	}
	s.handler = s.routes()
	return s, nil
}

// Answered is how many images were answered.
func (s *Server) Answered() int64 { return s.metrics.total(routeSegment) }

// Close ends the server, when no request is under way.
func (s *Server) Close() {
	for _, m := range s.models {
		m.runner.close()
	}
}

// How long a client may take for the head of a request, leave a connection idle, and
// take for an answer beyond the time that making it may take.
const (
	headTime  = 10 * time.Second
	idleTime  = 2 * time.Minute
	writeTime = 30 * time.Second
	// slowest is what it has to take of a file that is downloaded, bytes a second.
	slowest = 64 << 10
)

// download is how long a client may take for a file of so many bytes.
func download(bytes int64) time.Duration {
	return writeTime + time.Duration(bytes/slowest)*time.Second
}

// Serve answers requests until ctx ends, and then takes no more, finishes those that run
// and returns ctx's error. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: headTime, IdleTimeout: idleTime, MaxHeaderBytes: 32 << 10, ErrorLog: s.o.Log,
		DisableGeneralOptionsHandler: true, // it would answer past the handler's bounds
		// A request outlives the interrupt: its context is not the program's.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.draining.Store(true)
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Limits.Time+writeTime)
	defer cancel()
	if err := h.Shutdown(limited); err != nil {
		return errors.Join(fmt.Errorf("requests did not end: %w", err), h.Close())
	}
	<-failed
	return ctx.Err()
}
