package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
	"t2sda/orchestrator/bench"
)

// TestBenchCommand measures three rows of a small network in processes of their own.
func TestBenchCommand(t *testing.T) {
	enginetest.Isolate(t)
	t.Setenv(childEnv, "1")
	t.Setenv(bench.PeerEnv, "")
	code, out, errs := call(t, "bench", "--networks", "mit_b0", "--doctor=false", "--device", "cpu", "--threads", "1", "--budget", "5m", "--states", "host,captured",
		"--with", "method=source-only runtime.state=device", "data.crop.width=64", "data.crop.height=64", "train.batch=1", "model.head_width=16", "model.projector_width=16")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	var rows []bench.Result
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, text := range lines {
		var line struct {
			bench.Line
			bench.Result
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil && line.Kind != "plan" {
			continue // the seconds of an iteration are a number
		}
		if line.Kind == "row" {
			rows = append(rows, line.Result)
		}
	}
	if len(rows) != 3 || rows[0].State != "host" || rows[0].Seconds["pull"] <= 0 || rows[0].Captured != 0 ||
		rows[1].State != "device" || rows[1].Captured != 4 || rows[2].State != "device" || rows[2].Seconds["pull"] != 0 || rows[2].Captured != 0 {
		t.Errorf("the rows are %+v\n%s", rows, out)
	}
	if !strings.HasPrefix(lines[0], `{"kind":"plan"`) || !strings.HasPrefix(lines[len(lines)-1], `{"kind":"end"`) {
		t.Errorf("the output is\n%s", out)
	}
}

func TestBenchMistakes(t *testing.T) {
	t.Setenv(bench.PeerEnv, "")
	fail(t, exitUsage, `"vgg": one of`, "bench", "--networks", "vgg")
	fail(t, exitUsage, "nothing", "bench", "--with", "runtime.nothing=1")
	fail(t, exitUsage, "runtime.state: want one of host, device", "bench", "--states", "moon")
	fail(t, exitUsage, "--budget", "bench", "--budget", "0s")
	fail(t, exitUsage, "names no Python", "bench", "--peer-only")
	t.Setenv(bench.PeerEnv, "python")
	fail(t, exitUsage, "hrda has two resolutions", "bench", "--peer-only", "--networks", "mit_b0,hrda")
	t.Setenv(bench.PeerEnv, "")
	fail(t, exitUsage, "start it as mpirun -np 2", "bench", "scale")
	fail(t, exitUsage, "runtime.nothing", "bench", "scale", "runtime.nothing=1")
	fail(t, exitUsage, "train.accumulate is 4, which this sets itself", "bench", "scale", "train.accumulate=4")
	fail(t, exitUsage, "compute", "bench", "cost")
	for flag, want := range map[string]string{
		"--compute=0": "seconds above 0", "--ranks=0": "numbers of at least 1", "--per-node=0": "want at least 1", "--inside=0": "GB/s above 0",
		"--between=100,0": "Gb/s above 0", "--latency=-1": "at least 0", "--inside=NaN": "finite", "-c=nothing": "nothing",
	} {
		fail(t, exitUsage, want, "bench", "cost", "--compute=1", flag)
	}
}

func TestBenchCost(t *testing.T) {
	out := succeed(t, "bench", "cost", "--compute", "0.86", "--ranks", "1,64", "--between", "100", "-c", "gta5-cityscapes-r101")
	wantText(t, out, "resnet101 + deeplabv2: 175.2 MB of gradients", "| 1 | – | 0.000 s | 0.000 s | 0.000 s | 0.000 s | 0.860 s | 100 % |", "| 64 | 100 Gb/s | 0.028 s | 0.027 s | 0.203 s |")
}
