package ffmpeg

import (
	"regexp"
	"strings"
	"sync"
)

// longest is how much of a line is kept, bytes.
const longest = 500

// lastWords keeps the last line of what a program says that is not empty.
type lastWords struct {
	mu         sync.Mutex
	line, last []byte // under way, and finished
}

// Write implements io.Writer.
func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range p {
		switch {
		case b != '\n' && b != '\r':
			if len(w.line) < longest {
				w.line = append(w.line, b)
			}
		case len(w.line) > 0:
			w.last, w.line = append(w.last[:0], w.line...), w.line[:0]
		}
	}
	return len(p), nil
}

func (w *lastWords) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.last
	if len(w.line) > 0 {
		text = w.line
	}
	return tidy(strings.ToValidUTF8(strings.TrimSpace(string(text)), "?"))
}

// speaker are the parts of ffmpeg that speak, the nearest one last, with their addresses in
// memory.
var speaker = regexp.MustCompile(`^(?:\[[^ \]]+ @ 0x[0-9a-f]+\] )*\[([^ \]]+) @ 0x[0-9a-f]+\] `)

// tidy makes a line the same whenever the same is said, and names the mend where it is ours.
func tidy(line string) string {
	line = speaker.ReplaceAllString(line, "$1: ")
	if strings.Contains(line, "Unknown encoder") {
		line += " (--encoder names another one, ffmpeg -encoders lists them)"
	}
	return line
}
