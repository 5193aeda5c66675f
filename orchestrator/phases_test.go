package orchestrator

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"t2sda/internal/atomicfile"
)

// The phases of a run, as its process records them.
const (
	rendering  = "rendering"
	counting   = "counting"
	building   = "building"
	training   = "training"
	writing    = "checkpoint"
	evaluation = "evaluation"
	exporting  = "export"
	reporting  = "report"
)

var allPhases = []string{rendering, counting, building, training, writing, evaluation, exporting, reporting}

// phase is one stretch of a run.
type phase struct {
	name  string
	began time.Duration // since the run's beginning
}

// recorder writes down, in a file that survives its process, which phase a run comes to.
type recorder struct {
	atomicfile.System
	file  *os.File
	began time.Time
	last  string
}

// record returns the recorder, and options of a run whose phases it notes.
func record(t *testing.T, path string) Options {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	r := &recorder{System: atomicfile.OS(), file: file, began: time.Now()}
	o := quiet()
	o.Disk = atomicfile.On(r)
	core := zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(writerFunc(func(p []byte) (int, error) { return len(p), nil })), zap.DebugLevel)
	o.Log = zap.New(core, zap.Hooks(r.heard))
	return o
}

func (r *recorder) comes(name string) {
	if name != r.last {
		fmt.Fprintf(r.file, "%d %s\n", time.Since(r.began), name) // in one write, or not at all
		r.last = name
	}
}

// heard knows phases by what the log says when they begin.
func (r *recorder) heard(e zapcore.Entry) error {
	switch text := e.Message; {
	case strings.HasPrefix(text, "rendering"):
		r.comes(rendering)
	case strings.HasPrefix(text, "counting"):
		r.comes(counting)
	case strings.Contains(text, "evaluation"):
		r.comes(evaluation)
	case text == "export":
		r.comes(exporting)
	case text == "why":
		r.comes(reporting)
	}
	return nil
}

// OpenFile knows phases by the files that are written.
func (r *recorder) OpenFile(name string, flag int, mode fs.FileMode) (atomicfile.File, error) {
	switch base := filepath.Base(name); {
	case base == ConfigFile || strings.HasPrefix(base, "."+ConfigFile):
		r.comes(building)
	case base == eventsFile:
		r.comes(training)
	case strings.HasSuffix(base, ".png") || strings.Contains(base, reportFile) || strings.Contains(base, resultFile):
		r.comes(reporting)
	}
	f, err := r.System.OpenFile(name, flag, mode)
	if err == nil && filepath.Base(name) == checkpointDir {
		return lastSync{f, r}, nil
	}
	return f, err
}

// Mkdir begins a checkpoint.
func (r *recorder) Mkdir(name string, mode fs.FileMode) error {
	if strings.HasPrefix(filepath.Base(name), writingPrefix) {
		r.comes(writing)
	}
	return r.System.Mkdir(name, mode)
}

// lastSync is the folder of all checkpoints, whose sync ends one.
type lastSync struct {
	atomicfile.File
	recorder *recorder
}

func (s lastSync) Close() error {
	defer s.recorder.comes(training)
	return s.File.Close()
}

// readPhases reads what a recorder wrote, or has written so far.
func readPhases(path string) []phase {
	text, _ := os.ReadFile(path) // none before it begins
	var all []phase
	for line := range strings.Lines(string(text)) {
		p := phase{}
		if _, err := fmt.Sscanf(line, "%d %s\n", &p.began, &p.name); err == nil {
			all = append(all, p)
		}
	}
	return all
}
