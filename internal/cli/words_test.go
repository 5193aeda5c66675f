package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
)

// TestWords: flags of other programs stand for settings, are read as strictly,
// and mean the same in every command that has them.
func TestWords(t *testing.T) {
	out := succeed(t, "config", "--device", "cpu", "--seed", "7", "--iterations", "4e3", "--out", "o #1", "--init=", "train.batch=3")
	for _, want := range []string{"device: cpu\n", "\nseed: 7\n", "  iterations: 4000\n", "output: 'o #1'\n", "  init: \"\"\n", "  batch: 3\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("config lacks %q:\n%s", want, out)
		}
	}
	for _, c := range []struct{ line, want string }{
		{"train --seed -1", "setting seed=-1: want a whole number from 0 up, have -1"},
		{"train --seed 1 SEED=2", "--seed and SEED=2 are the same setting"},
		{"train --iterations 1.5", "setting train.iterations=1.5: want a whole number"},
		{"train --device tpu", "runtime.device: want cpu, cuda, cuda:N or auto"},
		{"compare --iterations 0", "train.iterations: want at least 1"},
		{"compare --seed 1", "unknown flag: --seed"},
		{"sweep lambda --iterations x", "setting train.iterations=x"},
		{"train --extend 0", "--extend 0: want at least 1 iteration"},
		{"train --resume nowhere", "--resume nowhere: there is no run"},
		{"train --resume=nowhere", "--resume nowhere: there is no run"},
		{"data stats --temperature nan d", "--temperature NaN: want a finite number"},
		{"evaluate --model m --root d --scales 1,inf", "--scales [1.000000,+Inf]: want a finite number"},
		{"train streets-large", "a configuration is named with -c streets-large"},
		{"config words.go", "a configuration is named with -c words.go"},
		{"config nothing", "want key=value"},
		{"config train.iteration=5", "did you mean train.iterations?"},
	} {
		fail(t, exitUsage, c.want, strings.Fields(c.line)...)
	}
	for _, command := range []string{"train", "compare", "config", "sweep"} {
		help := succeed(t, command, "--help")
		for _, w := range words {
			if missing := !strings.Contains(help, "--"+w.flag+" "); missing && (w.flag != "seed" || command != "compare" && command != "sweep") {
				t.Errorf("%s --help lacks --%s", command, w.flag)
			}
		}
	}
}

// TestResumeFromAnywhere: a run is continued by its folder, or by its file, from
// another working directory, beside a later run of its name, and where it was
// moved to; and it is extended.
func TestResumeFromAnywhere(t *testing.T) {
	enginetest.Isolate(t)
	home := t.TempDir()
	t.Chdir(home)
	line := withTiny("train", "baseline=false", "method=source-only")
	succeed(t, line...)
	succeed(t, append(line, "seed=2")...) // streets-2
	t.Chdir(t.TempDir())
	run := filepath.Join(home, "runs", "streets")
	for _, args := range [][]string{{"--resume", run}, {"--resume=" + run}, {run, "--resume"}, {"--resume", "-c", filepath.Join(run, "config.yaml")}, {"--resume", filepath.Join(run, "config.yaml")}, {"--resume", run, "train.log_every=3"}} {
		if out := succeed(t, append([]string{"train"}, args...)...); !strings.Contains(out, filepath.Join(run, "result.json")) {
			t.Errorf("%v shows\n%s", args, out)
		}
	}
	fail(t, exitUsage, "a run has its own configuration", "train", "--resume", run, "-c", "streets")
	fail(t, exitUsage, "--resume "+filepath.Dir(run)+": there is no such run; there are "+run+", "+run+"-2", "train", "--resume", filepath.Dir(run))
	fail(t, exitUsage, "name the run, "+run, "train", "--resume", filepath.Join(run, "checkpoints", "iter_000002"))
	fail(t, exitUsage, "train.lr=1: a run that is continued keeps", "train", "--resume", run, "train.lr=1")
	fail(t, exitUsage, "output=x: a run that is continued keeps its place", "train", "--resume", run, "--out", "x")
	fail(t, exitUsage, "or train a finished one longer: --extend 3", "train", "--resume", run, "--iterations", "5")
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(run, moved); err != nil {
		t.Fatal(err)
	}
	code, out, errs := call(t, "train", "--extend", "1", moved)
	if code != exitOK || !strings.Contains(out, "source-only 3/3 ") || !strings.Contains(errs, "extending the run from 2 to 3 iterations") || !strings.Contains(errs, "(1 % of train.lr)") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	t.Chdir(home)
	if out := succeed(t, "train", "--resume", "streets-2"); !strings.Contains(out, filepath.Join("runs", "streets-2", "result.json")) {
		t.Errorf("by its name:\n%s", out)
	}
}
