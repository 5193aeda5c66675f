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
	"strings"

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

// eventLog writes events to events.jsonl and to TensorBoard. A nil one, of a rank that does
// not lead, writes nothing.
type eventLog struct {
	file  atomicfile.File
	board *tbevent.Writer
}

// openEvents opens dir's logs. Lines from iteration `from` on, which a killed
// run wrote after its last checkpoint, are dropped, here and in TensorBoard: the
// resumed run writes them again. Earlier ones that are missing or cannot be read are
// told to warn and stay missing: only curves lack them. Events that are known already, from
// that iteration on, take the place of those that are dropped, in one step.
func openEvents(disk atomicfile.Disk, dir string, from int, warn func(text string), known ...Event) (*eventLog, error) {
	path := filepath.Join(dir, eventsFile)
	kept, first, err := keptEvents(path, from, warn)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, e := range append(kept, known...) {
		if err := encoder.Encode(e); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := disk.Write(path, text.Bytes()); err != nil {
		return nil, err
	}
	file, err := disk.Append(path)
	if err != nil {
		return nil, err
	}
	l := &eventLog{file: file}
	if l.board, err = tbevent.Create(disk, dir); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if !first {
		err = l.board.Restart(from)
	}
	for _, e := range known {
		err = errors.Join(err, l.board.Write(e.Iteration, e.scalars()))
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// keptEvents reads the events of iterations before from, and tells what is missing of
// them. first: there is no file.
func keptEvents(path string, from int, warn func(text string)) (kept []Event, first bool, err error) {
	kept, torn, err := readEventLines(path)
	first = errors.Is(err, fs.ErrNotExist)
	if err != nil && !first {
		return nil, false, err
	}
	kept = slices.DeleteFunc(kept, func(e Event) bool { return e.Iteration >= from })
	if gaps := missingEvents(kept, from); gaps != "" {
		for _, fault := range torn {
			warn(fault.Error() + ": left out")
		}
		warn(fmt.Sprintf("%s lacks iterations %s, which were trained: the report's curves will, too", path, gaps))
	}
	return kept, first, nil
}

func (l *eventLog) write(e Event) error {
	if l == nil {
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("%s: iteration %d: %w", eventsFile, e.Iteration, err)
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return l.board.Write(e.Iteration, e.scalars())
}

// sync makes the events durable. TensorBoard's may be lost.
func (l *eventLog) sync() error {
	if l == nil {
		return nil
	}
	return l.file.Sync()
}

func (l *eventLog) close() error {
	if l == nil {
		return nil
	}
	return errors.Join(l.file.Close(), l.board.Close())
}

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
		out = append(out, tbevent.Scalar{Tag: "train/lr", Value: e.LR})
	}
	if e.LR > 0 && !e.Overflow {
		out = append(out, tbevent.Scalar{Tag: "train/grad_norm", Value: e.GradNorm})
	}
	if e.LossScale > 0 {
		out = append(out, tbevent.Scalar{Tag: "train/loss_scale", Value: e.LossScale})
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

// missingEvents names the iterations below end of which there is no event, as in
// "3, 7–9"; empty for none.
func missingEvents(events []Event, end int) string {
	var gaps []string
	next := 0
	gap := func(upTo int) {
		switch n := upTo - next; {
		case n == 1:
			gaps = append(gaps, fmt.Sprint(next))
		case n > 1:
			gaps = append(gaps, fmt.Sprintf("%d–%d", next, upTo-1))
		}
	}
	for _, e := range events {
		gap(e.Iteration)
		next = max(next, e.Iteration+1)
	}
	gap(end)
	return strings.Join(gaps, ", ")
}

// ReadEvents reads an events.jsonl. A last line that a killed run left
// unfinished is ignored; any other unreadable line is an error.
func ReadEvents(path string) ([]Event, error) {
	events, torn, err := readEventLines(path)
	if len(torn) > 0 {
		return nil, torn[0]
	}
	return events, err
}

// readEventLines reads an events.jsonl and says of each line that cannot be read why,
// but for the last one, which a killed run may leave unfinished.
func readEventLines(path string) (events []Event, torn []error, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close() // only read
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<24)
	var unfinished error // what is wrong with the line before
	line := 1
	for ; scanner.Scan(); line++ {
		if unfinished != nil {
			torn, unfinished = append(torn, unfinished), nil
		}
		var e Event
		err := json.Unmarshal(scanner.Bytes(), &e)
		if err == nil && e.Iteration < 0 {
			err = fmt.Errorf("iteration %d", e.Iteration)
		}
		if err != nil {
			unfinished = fmt.Errorf("%s: line %d: %w", path, line, err)
			continue
		}
		events = append(events, e)
	}
	if err := scanner.Err(); err != nil {
		return nil, nil, fmt.Errorf("%s: line %d: %w", path, line, err)
	}
	return events, torn, nil
}
