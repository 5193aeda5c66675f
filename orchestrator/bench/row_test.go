package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
)

// small is a row of a few seconds.
func small(settings ...string) Row {
	return Row{Network: "mit_b0", Settings: append([]string{
		"runtime.device=" + enginetest.Device(), "runtime.threads=1", "data.crop.width=64", "data.crop.height=64", "train.batch=1",
		"model.head_width=16", "model.projector_width=16", "loss.pull.queries=8", "loss.pull.negatives=16", "loss.pull.block=8",
	}, settings...)}
}

func TestMeasure(t *testing.T) {
	t.Run("node by node", func(t *testing.T) { testMeasure(t) })
	t.Run("captured", func(t *testing.T) { testMeasure(t, "runtime.cuda.graph=true") })
}

func testMeasure(t *testing.T, settings ...string) {
	enginetest.Isolate(t)
	var told []float64
	r, err := Measure(t.Context(), small(append(settings, "runtime.state=device")...), time.Nanosecond, func(s float64) { told = append(told, s) })
	if err != nil {
		t.Fatal(err)
	}
	if r.Iterations != 1 || len(told) != 2 || r.First != told[0] || r.Seconds[whole] != told[1] {
		t.Errorf("%d iterations are measured, %v told: %+v", r.Iterations, told, r)
	}
	stages := 0.0
	for name, s := range r.Seconds {
		if name != whole {
			stages += s
		}
	}
	if stages > r.Seconds[whole] || stages < r.Seconds[whole]/2 || r.Outside <= 0 || r.Outside >= 100 {
		t.Errorf("stages take %g of %g s, %g %% outside", stages, r.Seconds[whole], r.Outside)
	}
	if r.State != "device" || r.Encoder != "mit_b0" || r.Head != "segformer" || r.Crop != "64×64" || r.Batch != 1 || r.HostPeak < 50 || r.HostPeak > 5000 {
		t.Errorf("the row is %+v", r)
	}
	if captured := len(settings) > 0; r.Captured > 0 != captured || len(r.Uncaptured) > 0 {
		t.Errorf("captured are %d, not %v", r.Captured, r.Uncaptured)
	}
	if r.ToDevice == 0 || r.FromDevice == 0 || len(r.Nodes) == 0 || len(r.Losses) != 3 {
		t.Errorf("the row is %+v", r)
	}
}

// TestStopped: an interrupt leaves a result of what was measured before.
func TestStopped(t *testing.T) {
	enginetest.Isolate(t)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	r, err := Measure(ctx, small("method=source-only"), time.Minute, func(float64) {
		if n++; n == 3 {
			cancel()
		}
	})
	if err == nil || r.Iterations != 2 || r.Seconds["source"] <= 0 {
		t.Errorf("after an interrupt: %+v, %v", r, err)
	}
}

func TestRows(t *testing.T) {
	for _, n := range Networks() {
		c, err := Row{Network: n, Settings: []string{"runtime.cuda.tf32=false"}}.Config()
		if err != nil {
			t.Fatal(err)
		}
		if c.Method != configs.T2S || c.Data.Crop.Width != 512 || c.Data.Crop.Height != 512 || c.Train.Batch != 2 || c.Train.AdaptAfter != 0 || c.AllowsTF32() {
			t.Errorf("%s is %+v", n, c)
		}
	}
	for n, method := range map[string]configs.Method{"hrda": configs.T2S, "mic": "t2s+mask"} {
		c, err := Row{Network: n}.Config()
		if err != nil || c.Method != method || c.Data.Crop.Width != 1024 || !c.UsesHRDA() || c.Model.Encoder != "mit_b5" || c.Train.AdaptAfter != 0 {
			t.Errorf("%s is %+v, %v", n, c, err)
		}
		if slices.Contains(Networks(), n) {
			t.Errorf("%s is measured though nobody names it", n)
		}
	}
	if _, err := Compare(t.Context(), Row{Network: "hrda"}, "python", time.Nanosecond); err == nil || !strings.Contains(err.Error(), "network hrda: PyTorch's beside it has one resolution") {
		t.Errorf("have %v", err)
	}
	if _, err := (Row{Network: "vgg"}).Config(); err == nil || !strings.Contains(err.Error(), `"vgg": one of [mit_b0`) {
		t.Errorf("an unknown network: %v", err)
	}
	if _, err := (Row{Network: "mit_b0", Settings: []string{"runtime.nothing=1"}}).Config(); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("an unknown setting: %v", err)
	}
}

// fakePython speaks as peer.py does.
const fakePython = `#!/bin/sh
case "$3" in *'"encoder":"mit_b0"'*) ;; *) echo "not the network: $3" >&2; exit 1 ;; esac
echo '{"torch":"0.1","device":"slate","precisions":["fp32","bf16"]}'
n=0
while read -r precision; do
  n=$((n + 1))
  test -n "$STOP" && test $n = 5 && { touch "$STOP"; exec sleep 600; }
  test -n "$BREAK" && { echo 'chalk broke' >&2; exit 1; }
  case $precision in fp32) echo '{"seconds":1000}' ;; *) echo '{"seconds":500,"peak_mib":7}' ;; esac
done
`

func TestCompare(t *testing.T) {
	enginetest.Isolate(t)
	python := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(python, []byte(fakePython), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := Compare(t.Context(), small(), python, time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	if r.Rounds != 2 || r.Torch != "0.1" || r.Where != "slate" || r.Theirs["bf16"].Peak != 7 || r.Ours <= 0 || r.Ours > 100 {
		t.Errorf("the comparison is %+v", r)
	}
	if a, b := r.Theirs["fp32"].Ratio, r.Theirs["bf16"].Ratio; a <= 0 || b < 1.99*a || b > 2.01*a {
		t.Errorf("the ratios are %g and %g", a, b)
	}
	stopped := filepath.Join(t.TempDir(), "stopped")
	t.Setenv("STOP", stopped) // in the third round, until the context ends
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for _, err := os.Stat(stopped); err != nil && ctx.Err() == nil; _, err = os.Stat(stopped) {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	if r, err = Compare(ctx, small(), python, time.Hour); !errors.Is(err, context.Canceled) || r.Rounds != 1 || r.Theirs["fp32"].Seconds != 1000 {
		t.Errorf("an interrupt: %+v, %v", r, err)
	}
	t.Setenv("STOP", "")
	if r, err = Compare(t.Context(), Row{Network: small().Network, Settings: append(small().Settings, "train.accumulate=2")}, python, time.Nanosecond); err != nil || r.Ours <= 0 {
		t.Errorf("with micro-batches: %+v, %v", r, err)
	}
	t.Setenv("BREAK", "1")
	if _, err := Compare(t.Context(), small(), python, time.Nanosecond); err == nil || !strings.HasSuffix(err.Error(), PeerEnv+" names ended: chalk broke") {
		t.Errorf("a peer that breaks: %v", err)
	}
	if _, err := Compare(t.Context(), small(), python+"3", time.Nanosecond); err == nil || !strings.Contains(err.Error(), python+"3") {
		t.Errorf("no peer: %v", err)
	}
}
