package nccl

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"t2sda/internal/ranks"
)

// quick are limits of tests in which others do not come.
var quick = limits{first: 100 * time.Millisecond, later: 100 * time.Millisecond, grace: 100 * time.Millisecond, try: 100 * time.Millisecond}

// folder is what ranks of an id meet in.
func folder(id ID) string {
	dir, _, _ := strings.Cut(string(id[:]), "\x00")
	return dir
}

// toItself is four values that a rank sends to itself.
func toItself() (part []ranks.Part, keep []float32) {
	x := make([]float32, 4, 4+len(os.Args)) // on the heap, which does not move
	return []ranks.Part{{Address: uintptr(unsafe.Pointer(&x[0])), Len: len(x)}}, x
}

// TestSwapFails: who waits for a rank that does not come gives up in time, and does nothing
// afterwards but take its work from the device; likewise what NCCL itself notices. It is told
// which call has failed.
func TestSwapFails(t *testing.T) {
	for _, k := range []struct {
		flags []string
		want  string
	}{
		{[]string{"-DHANGS"}, errSlow.Error()},
		{[]string{"-DHANGS", "-DFAILS=6"}, "ncclCommGetAsyncError of NCCL 2.27.3 ("},
		{[]string{"-DSEND=4"}, "ncclSend of NCCL 2.27.3 ("},
		{[]string{"-DSEND=7"}, "unset NCCL_COMM_BLOCKING"},
	} {
		l := open(t, k.flags...)
		l.limits = quick
		l.limits.grace = 20 * time.Second // which only calls that hang need
		id := unique(t, l)
		c, err := l.Join(onHost, id, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		part, x := toItself()
		for range 2 {
			if err := c.Swap(part, part); err == nil || !strings.Contains(err.Error(), k.want) {
				t.Errorf("%v, want %q", err, k.want)
			}
		}
		if _, err := os.Stat(folder(id) + ".aborted"); err == nil {
			t.Error("the error is not told before what may wait for others")
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		runtime.KeepAlive(x)
		if _, err := os.Stat(folder(id) + ".aborted"); err != nil {
			t.Errorf("its work is still the device's: %v", err)
		}
	}
}

// TestOneFails: a rank that fails elsewhere leaves without the others, which wait for it, and
// these do not wait for ever, be it in a swap or to leave.
func TestOneFails(t *testing.T) {
	l := open(t)
	for _, swaps := range []bool{true, false} {
		l.limits = usual
		comms, id := make([]*Comm, 2), unique(t, l)
		var wait sync.WaitGroup
		for rank := range comms {
			wait.Go(func() {
				var err error
				if comms[rank], err = l.Join(onHost, id, rank, 2); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		begin := time.Now()
		if err := comms[0].Abort(); err != nil || time.Since(begin) > usual.grace/2 {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		l.limits = quick
		comms[1].patience = quick.later
		part, x := toItself()
		if swaps {
			if err := comms[1].Swap(nil, part); !errors.Is(err, errSlow) {
				t.Errorf("received from nobody: %v", err)
			}
			if err := comms[1].Close(); err != nil {
				t.Error(err)
			}
		} else if err := comms[1].Close(); !errors.Is(err, errSlow) {
			t.Errorf("left together with nobody: %v", err)
		}
		runtime.KeepAlive(x)
	}
}

// TestStuck: a call of NCCL's that does not end is given up, too.
func TestStuck(t *testing.T) {
	l := open(t, "-DHOLDS")
	l.limits = quick
	id := unique(t, l)
	if _, err := l.Join(onHost, id, 0, 2); !errors.Is(err, errSlow) {
		t.Errorf("joined nobody: %v", err)
	}
	if c, err := l.Join(onHost, id, 1, 2); err != nil { // which the other one has waited for
		t.Error(err)
	} else if err := c.Abort(); err != nil {
		t.Error(err)
	}
	id = unique(t, l)
	c, err := l.Join(onHost, id, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	hold := folder(id) + ".hold"
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(hold)
	part, x := toItself()
	if err := c.Swap(part, part); !errors.Is(err, errSlow) || c.Close() != nil || c.Abort() != nil {
		t.Errorf("%v", err)
	}
	runtime.KeepAlive(x)
}

// TestTry: a GPU that does not answer is given up after its own time, or when asked to.
func TestTry(t *testing.T) {
	l := open(t)
	l.limits = limits{first: time.Hour, later: time.Hour, grace: time.Hour, try: 50 * time.Millisecond}
	for what, limit := range map[string]time.Duration{"50ms: see what nvidia-smi": time.Hour, context.Canceled.Error(): 0} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(limit, cancel)
		answer := make(chan struct{})
		err := l.Try(ctx, func() (Stream, error) { <-answer; return onHost() })
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
		close(answer)
		cancel()
	}
}
