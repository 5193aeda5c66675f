package serve

import (
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// routeSegment is the route whose requests are predicted.
const routeSegment = "POST /v1/segment"

// handler answers a request, or says why not.
type handler func(w http.ResponseWriter, r *http.Request) error

// routes lists everything that is answered. What is not open wants the token.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, route := range []struct {
		pattern string
		open    bool
		do      handler
	}{
		{routeSegment, false, s.segment},
		{"GET /v1/model", false, s.describe},
		{"GET /v1/model/file", false, s.modelFile},
		{"GET /v1/samples/{number}", false, s.sample},
		{"GET /metrics", false, s.writeMetrics},
		{"GET /healthz", true, func(w http.ResponseWriter, _ *http.Request) error { return plain(w, "alive\n") }},
		{"GET /readyz", true, s.ready},
		{"GET /openapi.json", true, s.asset("openapi.json")},
		{"GET /{$}", true, s.asset("index.html")},
		{"GET /page/{name}", true, s.pageFile},
		{"GET /ort/{name}", true, s.webFile},
	} {
		mux.Handle(route.pattern, s.wrap(route.pattern, route.open, route.do))
	}
	mux.Handle("/", s.wrap("other", true, func(_ http.ResponseWriter, r *http.Request) error {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); pattern != "/" {
				return problemf(http.StatusMethodNotAllowed, "%s %s: want %s", r.Method, r.URL.Path, method)
			}
		}
		return problemf(http.StatusNotFound, "there is no %s: see /openapi.json", r.URL.Path)
	}))
	return s.within(mux)
}

// recorder remembers an answer's status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets deadlines through.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// within bounds the time of all requests, of those too that the mux answers itself. Whoever does not take
// the answer, or does not send the body, must not hold the connection for ever: before it answers, the
// server reads a body that nothing else has read.
func (s *Server) within(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, deadlines := time.Now(), http.NewResponseController(w)
		_ = deadlines.SetWriteDeadline(began.Add(s.o.Limits.Time + writeTime)) // of tests' writers, there is none
		if r.Body != http.NoBody {
			_ = deadlines.SetReadDeadline(began.Add(s.o.Limits.Time))
		}
		h.ServeHTTP(w, r)
	})
}

// wrap checks a request, answers it, and counts it.
func (s *Server) wrap(route string, open bool, do handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		began := time.Now()
		w := &recorder{ResponseWriter: out}
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		defer func() {
			if v := recover(); v != nil {
				s.logf("%s: panic: %v\n%s", route, v, debug.Stack())
				if w.status == 0 {
					s.reject(w, r, problemf(http.StatusInternalServerError, "the server failed"))
				}
			}
			s.metrics.answered(route, w.status, time.Since(began).Seconds())
		}()
		err := s.checkHost(r)
		if err == nil {
			err = checkOrigin(r)
		}
		if err == nil && !open {
			err = s.checkToken(r)
		}
		if err == nil {
			err = do(w, r)
		}
		if err != nil {
			s.reject(w, r, err)
		}
	})
}

// plain writes a line of text.
func plain(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, text) // whoever asked may be gone
	return nil
}

// ready tells load balancers whether requests are welcome.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) error {
	switch {
	case s.draining.Load():
		return problemf(http.StatusServiceUnavailable, "the server is ending")
	case len(s.gate.inside) == cap(s.gate.inside):
		return problemf(http.StatusServiceUnavailable, "the queue is full")
	}
	return plain(w, "ready\n")
}

func (s *Server) writeMetrics(w http.ResponseWriter, _ *http.Request) error {
	var b strings.Builder
	if err := s.metrics.write(&b, s.gate); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = io.WriteString(w, b.String()) // whoever asked may be gone
	return nil
}
