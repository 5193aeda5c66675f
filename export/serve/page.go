package serve

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"t2sda/datasets/streets"
	"t2sda/export/predict"
	"t2sda/internal/ortweb"
	"t2sda/internal/raster"
	"t2sda/internal/sha256sum"
)

// pageFiles are the page and the description of the interface.
//
//go:embed page
var pageFiles embed.FS

// types are those of the page's files; a system's own table may know them otherwise.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".json": "application/json", ".svg": "image/svg+xml", ".wasm": "application/wasm",
}

// asset returns what gives one embedded file.
func (s *Server) asset(name string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		content, err := pageFiles.ReadFile(path.Join("page", name))
		if err != nil {
			return problemf(http.StatusNotFound, "there is no %s", r.URL.Path)
		}
		h := w.Header()
		h.Set("Content-Type", types[path.Ext(name)])
		h.Set("Cache-Control", "no-cache") // asked for anew, and not sent when it is the same
		h.Set("ETag", strconv.Quote(sha256sum.Of(content)[:16]))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
		return nil
	}
}

func (s *Server) pageFile(w http.ResponseWriter, r *http.Request) error {
	return s.asset(path.Base(r.PathValue("name")))(w, r)
}

// webFile gives a file of ONNX Runtime for browsers.
func (s *Server) webFile(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if s.o.Web == "" || !slices.Contains(ortweb.Files(), name) {
		return problemf(http.StatusNotFound, "there is no %s", r.URL.Path)
	}
	err := giveFile(w, r, filepath.Join(s.o.Web, name), func(fs.FileInfo) error {
		w.Header().Set("Content-Type", types[path.Ext(name)])
		w.Header().Set("Cache-Control", "max-age=86400")
		return nil
	})
	if err != nil { // whoever asks need not know where it lay
		return problemf(http.StatusNotFound, "there is no %s any more", r.URL.Path)
	}
	return nil
}

// giveFile answers with a file, whose headers ready sets, unless it has something against it. Whoever
// fetches has time by the file's size, not that of other requests: models are hundreds of megabytes.
func giveFile(w http.ResponseWriter, r *http.Request, path string, ready func(fs.FileInfo) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err == nil {
		err = ready(info)
	}
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(download(info.Size()))) // of tests' writers, there is none
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

// description is what the page, or a program, needs to know of the models.
type description struct {
	Version string        `json:"version"`
	Models  []served      `json:"models"`
	Classes []class       `json:"classes"`
	Limits  shownLimits   `json:"limits"`
	Samples int           `json:"samples"`
	Web     webComponents `json:"web"`
}

// served is one of the models.
type served struct {
	Key    string         `json:"key"`
	Name   string         `json:"name"` // of its file
	Bytes  int64          `json:"bytes"`
	MIoU   *float64       `json:"miou,omitempty"` // that it says of itself, 0–1
	Space  string         `json:"label_space"`
	Recipe predict.Recipe `json:"recipe"`
}

// shownLimits are those that whoever sends images has to know.
type shownLimits struct {
	Bytes   int64   `json:"bytes"`
	Pixels  int     `json:"pixels"`
	Seconds float64 `json:"seconds"`
}

// webComponents says whether the page can run the model itself.
type webComponents struct {
	Available bool   `json:"available"`
	Missing   string `json:"missing,omitempty"` // what is missing, and what to do
}

// describe answers GET /v1/model.
func (s *Server) describe(w http.ResponseWriter, _ *http.Request) error {
	l := s.o.Limits
	d := description{
		Version: s.o.Version, Classes: classesOf(s.o.Model.Space()), Samples: sampleCount,
		Limits: shownLimits{l.Bytes, l.Pixels, l.Time.Seconds()}, Web: webComponents{s.o.Web != "", s.o.WebMissing},
	}
	for _, m := range s.models {
		d.Models = append(d.Models, served{
			Key: m.key, Name: s.nameOf(m), Bytes: m.file.Size(), MIoU: m.p.Metadata().MIoU, Space: m.p.Space().Name, Recipe: m.p.Recipe(),
		})
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(text) // whoever asked may be gone
	return nil
}

// nameOf is what a model is called on the page: its file's name, with the folder's where
// the models' are the same.
func (s *Server) nameOf(m *model) string {
	path := m.p.Name()
	name := filepath.Base(path)
	for _, other := range s.models {
		if other != m && filepath.Base(other.p.Name()) == name {
			if abs, err := filepath.Abs(path); err == nil {
				path = abs
			}
			return filepath.Join(filepath.Base(filepath.Dir(path)), name)
		}
	}
	return name
}

// modelFile gives a model's file, for the page to run.
func (s *Server) modelFile(w http.ResponseWriter, r *http.Request) error {
	m, err := s.model(r.URL.Query().Get("model"))
	if err != nil {
		return err
	}
	return giveFile(w, r, m.p.Name(), func(info fs.FileInfo) error {
		if info.Size() != m.file.Size() || !info.ModTime().Equal(m.file.ModTime()) {
			return problemf(http.StatusConflict, "the model's file has changed since the server opened it: start the server again")
		}
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": filepath.Base(m.p.Name())}))
		return nil
	})
}

// Samples: frames of the procedural world as its camera sees them, drawn when they are
// first asked for.
const (
	sampleCount  = 4
	sampleSeed   = 2024 // of no data set that a preset trains on
	sampleWidth  = 768
	sampleHeight = 384
)

type samples struct {
	drawn [sampleCount]func() ([]byte, error)
}

func newSamples() *samples {
	var s samples
	for i := range s.drawn {
		s.drawn[i] = sync.OnceValues(func() ([]byte, error) {
			img, _ := streets.Render(sampleSeed, i, streets.Camera, sampleWidth, sampleHeight)
			return raster.EncodePNG(img.NRGBA())
		})
	}
	return &s
}

func (s *Server) sample(w http.ResponseWriter, r *http.Request) error {
	i, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || i < 0 || i >= sampleCount {
		return problemf(http.StatusNotFound, "sample %s: want a number from 0 to %d", r.PathValue("number"), sampleCount-1)
	}
	picture, err := s.samples.drawn[i]()
	if err != nil {
		return fmt.Errorf("sample %d: %w", i, err)
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = w.Write(picture) // whoever asked may be gone
	return nil
}
