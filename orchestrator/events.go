package orchestrator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"t2sda/internal/atomicfile"
	"t2sda/internal/tbevent"
	"t2sda/orchestrator/learner"
)

// Event is what a run records of one iteration, one JSON line in
// events.jsonl. Terms that a method does not train are absent.
type Event struct {
	learner.Step
	MIoU    *float64           `json:"miou,omitempty"`    // 0 to 1, where the iteration ended with an evaluation
	IoU     map[string]float64 `json:"iou,omitempty"`     // per class
	Skipped []string           `json:"skipped,omitempty"` // images that could not be used, in whose place others were drawn
}

const eventsFile = "events.jsonl"

// eventLog writes events to events.jsonl and to TensorBoard.
type eventLog struct {
	file  *os.File
	board *tbevent.Writer
}

// openEvents opens dir's logs. Lines from iteration `from` on, which a killed
// run wrote after its last checkpoint, are dropped, here and in TensorBoard: the
// resumed run writes them again.
func openEvents(dir string, from int) (*eventLog, error) {
	path := filepath.Join(dir, eventsFile)
	kept, err := ReadEvents(path)
	first := errors.Is(err, fs.ErrNotExist)
	if err != nil && !first {
		return nil, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, e := range kept {
		if e.Iteration >= from {
			continue
		}
		if err := encoder.Encode(e); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := atomicfile.Write(path, text.Bytes()); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	l := &eventLog{file: file}
	if l.board, err = tbevent.Create(dir); err != nil {
		file.Close()
		return nil, err
	}
	if first {
		return l, nil
	}
	if err := l.board.Restart(from); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *eventLog) write(e Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("%s: iteration %d: %w", eventsFile, e.Iteration, err)
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return l.board.Write(e.Iteration, e.scalars())
}

func (l *eventLog) close() error { return errors.Join(l.file.Close(), l.board.Close()) }

// scalars flattens the event into TensorBoard's tags, sorted.
func (e Event) scalars() []tbevent.Scalar {
	var out []tbevent.Scalar
	add := func(prefix string, values map[string]float64) {
		for k, v := range values {
			out = append(out, tbevent.Scalar{Tag: prefix + k, Value: v})
		}
	}
	add("loss/", e.Losses)
	add("seconds/", e.Seconds)
	add("iou/", e.IoU)
	if e.LR > 0 {
		out = append(out, tbevent.Scalar{Tag: "train/lr", Value: e.LR}, tbevent.Scalar{Tag: "train/grad_norm", Value: e.GradNorm})
	}
	if e.ToDevice+e.FromDevice > 0 {
		out = append(out, tbevent.Scalar{Tag: "device/h2d", Value: float64(e.ToDevice)}, tbevent.Scalar{Tag: "device/d2h", Value: float64(e.FromDevice)})
	}
	if len(e.Quality) > 0 {
		out = append(out, tbevent.Scalar{Tag: "train/q", Value: mean(e.Quality)})
	}
	if e.MIoU != nil {
		out = append(out, tbevent.Scalar{Tag: "eval/miou", Value: *e.MIoU})
	}
	slices.SortFunc(out, func(a, b tbevent.Scalar) int {
		if a.Tag < b.Tag {
			return -1
		}
		return 1
	})
	return out
}

func mean(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// ReadEvents reads an events.jsonl. A last line that a killed run left
// unfinished is ignored; any other unreadable line is an error.
func ReadEvents(path string) ([]Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var events []Event
	var torn error
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<24)
	for line := 1; scanner.Scan(); line++ {
		if torn != nil {
			return nil, torn
		}
		var e Event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			torn = fmt.Errorf("%s: line %d: %w", path, line, err)
			continue
		}
		events = append(events, e)
	}
	return events, scanner.Err()
}
