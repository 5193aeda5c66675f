package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/nccl"
	"t2sda/internal/nccl/nccltest"
)

// examine runs the checks quickly on the device that tests run on.
func examine(t *testing.T, o Options) map[string]Check {
	t.Helper()
	enginetest.Isolate(t)
	if o.Engine.Device == "" {
		o.Engine.Device = enginetest.Device()
	}
	o.Engine.IntraOpThreads, o.Quick = 1, true
	var told []string
	o.Told = func(c Check) { told = append(told, c.Name) }
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]Check{}
	for i, c := range r.Checks {
		m[c.Name] = c
		if told[i] != c.Name || c.Detail == "" || (c.Status == Fail) != (c.Fix != "") {
			t.Errorf("check %d, told as %s: %+v", i, told[i], c)
		}
	}
	checks := 9
	if _, ok := m["nccl"]; ok { // of GPUs
		checks++
	}
	if len(m) != checks || len(r.Checks) != checks || r.OK != (len(r.Failed()) == 0) {
		t.Errorf("the report is %+v", r)
	}
	return m
}

func TestDoctor(t *testing.T) {
	for name, c := range examine(t, Options{Version: "v1"}) {
		want := Pass
		if name == "placement" && !enginetest.OnDevice() {
			want = Skipped
		}
		if c.Status != want {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestWrongDevice: an operator that computes something else fails, by its name, and so
// does one that gives no number.
func TestWrongDevice(t *testing.T) {
	m := examine(t, Options{Disturb: func(name string, values []float64) {
		switch name {
		case "Gelu/map":
			values[0] += 0.5
		case "Erf/map":
			values[0] = math.NaN()
		}
	}})
	c := m["operators"]
	if c.Status != Fail || !strings.Contains(c.Detail, "2 of ") || !strings.Contains(c.Detail, "Gelu/map is off by ") || !strings.Contains(c.Detail, "Erf/map is off by +Inf") {
		t.Errorf("wrong operators: %+v", c)
	}
	if text, err := json.Marshal(c); err != nil || !strings.Contains(string(text), `"Erf":"+Inf"`) {
		t.Errorf("as JSON: %s, %v", text, err)
	}
	if c := m["training"]; c.Status != Pass || !strings.Contains(c.Detail, "with networks captured losses differ by ") {
		t.Errorf("training: %+v", c)
	}
}

// TestNoLibrary and TestNoDevice: what cannot be checked is skipped, and what is missing
// says how to get it.
func TestNoLibrary(t *testing.T) {
	m := examine(t, Options{Engine: engine.Options{Library: filepath.Join(t.TempDir(), "none.so")}})
	if c := m["library"]; c.Status != Fail || !strings.Contains(c.Detail, "does not exist") || !strings.Contains(c.Fix, "runtime install") {
		t.Errorf("no library: %+v", c)
	}
	for _, name := range []string{"device", "operators", "training", "placement", "bandwidth", "products"} {
		if m[name].Status != Skipped {
			t.Errorf("%s without a library: %+v", name, m[name])
		}
	}
}

func TestNoDevice(t *testing.T) {
	m := examine(t, Options{Engine: engine.Options{Device: "cuda:99"}})
	if c := m["device"]; m["library"].Status != Pass || c.Status != Fail || !strings.Contains(c.Detail, "cuda:99") {
		t.Errorf("no device: %+v", c)
	}
	if m["training"].Status != Skipped {
		t.Errorf("training without a device: %+v", m["training"])
	}
	bad := examine(t, Options{Engine: engine.Options{Device: "tpu"}})["library"]
	if bad.Status != Fail || !strings.Contains(bad.Detail, `"tpu": cpu, cuda`) {
		t.Errorf("no such kind of device: %+v", bad)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Run(ctx, Options{Told: func(Check) { cancel() }})
	if !errors.Is(err, context.Canceled) || len(r.Checks) != 1 {
		t.Errorf("after an interrupt: %+v, %v", r, err)
	}
}

// TestPlacement: what the device lacks is named with the sessions that want it.
func TestPlacement(t *testing.T) {
	sessions := []engine.Placement{
		{Session: "a", Providers: map[string]int{"CUDAExecutionProvider": 3}},
		{Session: "b", Providers: map[string]int{"CPUExecutionProvider": 1}, Fallback: []string{"DFT"}},
	}
	if c := placed(sessions); c.Status != Fail || !strings.Contains(c.Detail, "DFT (b)") {
		t.Errorf("a fallback: %+v", c)
	}
	if c := placed(sessions[:1]); c.Status != Pass || !strings.Contains(c.Detail, "CUDAExecutionProvider 3;") {
		t.Errorf("no fallback: %+v", c)
	}
}

// TestTrainingDiffers: losses beyond the tolerance, and a training that fails, fail the
// check and are told.
func TestTrainingDiffers(t *testing.T) {
	x := &examination{engine: enginetest.Open(t, engine.Options{})}
	want := trained{losses: []map[string]float64{{"a": 2}}}
	text, ok, figures := x.compare(want, trainings[0], func() (trained, error) {
		return trained{losses: []map[string]float64{{"a": math.Inf(1)}}}, nil
	})
	if ok || !strings.Contains(text, "with the state on the device losses differ by +Inf") || figures["largest_difference"] != "+Inf" {
		t.Errorf("%q, %v, %v", text, ok, figures)
	}
	if text, ok, _ := x.compare(want, trainings[2], func() (trained, error) { return trained{}, errors.New("stuck") }); ok || text != "with the state on the host: stuck" {
		t.Errorf("%q, %v", text, ok)
	}
	got := want
	got.uncaptured = []string{"a: it has a loop", "b: it has two"}
	if text, ok, _ := x.compare(want, trainings[1], func() (trained, error) { return got, nil }); !ok || text != "with networks captured losses differ by 0 (2 sessions cannot be captured, the first is a: it has a loop)" {
		t.Errorf("equal losses: %q, %v", text, ok)
	}
}

// TestDifferences by hand: 2 → 2.1 is 0.05, small losses count in hundredths, and no
// number is as far as can be.
func TestDifferences(t *testing.T) {
	want := []map[string]float64{{"a": 2}, {"a": 0.001}}
	first, worst := differences(want, []map[string]float64{{"a": 2.1}, {"a": 0.002}})
	if math.Abs(first-0.05) > 1e-12 || math.Abs(worst-0.1) > 1e-12 {
		t.Errorf("differences %g and %g", first, worst)
	}
	if _, worst := differences(want, []map[string]float64{{"a": 2}, {}}); worst != 0.1 {
		t.Errorf("a loss that is missing differs by %g", worst)
	}
	if _, worst := differences(want, []map[string]float64{{"a": math.NaN()}, {"a": 0.001}}); !math.IsInf(worst, 1) {
		t.Errorf("NaN differs by %g", worst)
	}
	if got := some(slices.Repeat([]string{"x"}, 7)); got != "x, x, x, x, x, 2 more" {
		t.Errorf("names are listed as %q", got)
	}
}

// TestNCCL: what several GPUs would exchange by is named, or what is wrong with it, which is
// a fault only where there are several.
func TestNCCL(t *testing.T) {
	onHost := func() (nccl.Stream, error) { return nccltest.NewStream() }
	works, fails := nccltest.Build(t), nccltest.Build(t, "-DINIT=1")
	for _, k := range []struct {
		file   string
		gpus   int
		want   string
		status Status
	}{
		{"libnccl-none.so.2", 2, "cannot be loaded", Skipped},
		{works, 1, "NCCL 2.27.3 (", Pass},
		{fails, 1, "ncclCommInitRank of NCCL 2.27.3", Skipped},
		{fails, 2, "ncclCommInitRank of NCCL 2.27.3", Fail},
	} {
		t.Setenv(nccl.LibraryEnv, k.file)
		c := ncclOn(t.Context(), onHost, k.gpus)
		if c.Status != k.status || !strings.Contains(c.Detail, k.want) || strings.Contains(c.Detail, "\n") || strings.Contains(c.Fix, nccl.LibraryEnv) != (c.Status == Fail) {
			t.Errorf("%s, %d: %+v", k.file, k.gpus, c)
		}
	}
}
