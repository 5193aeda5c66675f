package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// problem is why a request is not answered, as RFC 9457 writes it.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`

	retryAfter int // seconds; 0: not said
}

func (p *problem) Error() string { return p.Detail }

func problemf(status int, format string, args ...any) *problem {
	return &problem{Status: status, Title: http.StatusText(status), Detail: fmt.Sprintf(format, args...)}
}

// statusGone counts requests whose sender has gone, by nginx's number.
const statusGone = 499

// reject writes why a request failed, and logs what is the server's fault.
func (s *Server) reject(w http.ResponseWriter, r *http.Request, err error) {
	p := new(problem)
	if !errors.As(err, &p) {
		p = problemf(http.StatusInternalServerError, "the server failed: %v", err)
		if r.Context().Err() != nil {
			p = &problem{Status: statusGone, Title: "Client Closed Request", Detail: "nobody waits for the answer"}
		} else {
			s.logf("%s %s: %v", r.Method, r.URL.Path, err)
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		text = nil // numbers and strings are always written
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="t2sda"`)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n')) // whoever asked may be gone
}

func (s *Server) logf(format string, args ...any) {
	if s.o.Log != nil {
		s.o.Log.Printf(format, args...)
	}
}
