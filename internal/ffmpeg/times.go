package ffmpeg

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// times are those at which frames are shown, as ffmpeg tells them while it passes the frames
// on: a comment, then a line of milliseconds for each. What is told ahead of the frames is
// kept, so that neither pipe ever waits for the other one.
type times struct {
	pipe *os.File
	mu   sync.Mutex
	more *sync.Cond
	told []float64 // seconds, from frame first on
	from int
	err  error // why there are no more
	done chan struct{}
}

// follow begins to read times.
func follow(pipe *os.File) *times {
	t := &times{pipe: pipe, done: make(chan struct{})}
	t.more = sync.NewCond(&t.mu)
	go t.read()
	return t
}

func (t *times) read() {
	defer close(t.done)
	err := errors.New("there are fewer times than frames")
	for s := bufio.NewScanner(t.pipe); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		ms, fault := strconv.ParseFloat(line, 64)
		if fault != nil {
			err = fmt.Errorf("a time is %.50q", line)
			break
		}
		t.mu.Lock()
		t.told = append(t.told, ms/1000)
		t.more.Signal()
		t.mu.Unlock()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	t.more.Signal()
}

// at waits for the time of frame n, which is asked for in order.
func (t *times) at(n int) (float64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n-t.from >= len(t.told) {
		if t.err != nil {
			return 0, t.err
		}
		t.more.Wait()
	}
	seconds := t.told[n-t.from]
	t.told, t.from = append(t.told[:0], t.told[n-t.from+1:]...), n+1
	return seconds, nil
}

// close ends the reading. The program has ended.
func (t *times) close() {
	<-t.done
	_ = t.pipe.Close() // was read only
}
