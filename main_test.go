package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"t2sda/graphs/engine/enginetest"
)

// programEnv makes the test binary the program.
const programEnv = "T2SDA_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestSignals stops the program while it trains, as a person and as a scheduler does: it
// saves what it has trained, says how to go on, and exits with the signal's code.
func TestSignals(t *testing.T) {
	enginetest.Isolate(t)
	dir := t.TempDir()
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}} {
		name := fmt.Sprint("code", c.code)
		var said bytes.Buffer
		program := exec.CommandContext(t.Context(), os.Args[0],
			"train", "output=runs", "name="+name, "baseline=false", "runtime.device=cpu", "runtime.threads=1",
			"data.streets.train=4", "data.streets.val=1", "data.streets.size.width=128", "data.streets.size.height=64",
			"data.crop.width=64", "data.crop.height=64", "translate.engine=fda", "train.iterations=100000", "train.eval_every=0", "train.checkpoint_every=0")
		program.Dir, program.Env = dir, append(os.Environ(), programEnv+"=1")
		program.Stdout, program.Stderr = &said, &said
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		run := filepath.Join(dir, "runs", name)
		iterations := func() int {
			text, _ := os.ReadFile(filepath.Join(run, "events.jsonl")) // none before the first
			return bytes.Count(text, []byte("\n"))
		}
		for deadline := time.Now().Add(2 * time.Minute); iterations() < 3 && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
		if err := program.Process.Signal(c.signal); err != nil {
			t.Fatal(err)
		}
		err := program.Wait()
		if ended := new(exec.ExitError); !errors.As(err, &ended) || ended.ExitCode() != c.code {
			t.Fatalf("%v: %v, want exit code %d\n%s", c.signal, err, c.code, &said)
		}
		checkpoint := filepath.Join(run, "checkpoints", fmt.Sprintf("iter_%06d", iterations()))
		if _, err := os.Stat(checkpoint); err != nil || iterations() < 3 {
			t.Errorf("%v: %v", c.signal, err)
		}
		if !strings.Contains(said.String(), "train --resume -c") {
			t.Errorf("%v: it says %s", c.signal, &said)
		}
	}
}
