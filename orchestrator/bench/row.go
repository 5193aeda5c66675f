// Package bench measures iterations of the paper's networks at full size on a device, each
// row in a process of its own, within a budget of time.
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/internal/median"
	"t2sda/orchestrator"
	"t2sda/orchestrator/learner"
	"t2sda/orchestrator/trial"
)

// network is one that is measured: a preset with settings.
type network struct {
	name, preset string
	settings     []string
	large        bool // measured only where it is named
}

// networks are measured in this order: 19 classes, the preset's method and 2 + 2 of its
// crops, t2s on 512×512 unless the comment says otherwise.
var networks = []network{
	{"mit_b0", "gta5-cityscapes", []string{"model.encoder=mit_b0", "model.head=segformer"}, false},
	{"mit_b5", "gta5-cityscapes", nil, false}, // with DAFormer's head
	{"resnet101", "gta5-cityscapes-r101", nil, false},
	{"hrda", "gta5-cityscapes-hrda", nil, true}, // likewise on MiT-B5, crops of 1024×1024
	{"mic", "gta5-cityscapes-mic", nil, true},   // likewise, and masked images
}

// Networks returns the names of what is measured unless something is named.
func Networks() []string { return names(func(n network) bool { return !n.large }) }

// names lists the networks that are wanted.
func names(wanted func(network) bool) (all []string) {
	for _, n := range networks {
		if wanted(n) {
			all = append(all, n.name)
		}
	}
	return all
}

// Row says what is measured: a network with settings.
type Row struct {
	Network  string   `json:"network"`
	Settings []string `json:"settings,omitempty"` // key=value
	// Peer compares the student's supervised term with PyTorch's instead of timing
	// whole iterations.
	Peer bool `json:"peer,omitempty"`
}

// Config is the row's configuration: every term of the loss from the first iteration on.
func (r Row) Config() (configs.Config, error) {
	i := slices.IndexFunc(networks, func(n network) bool { return n.name == r.Network })
	if i < 0 {
		return configs.Config{}, fmt.Errorf("network %q: one of %v", r.Network, names(func(network) bool { return true }))
	}
	n := networks[i]
	return trial.Load(n.preset, slices.Concat([]string{"train.adapt_after=0"}, n.settings, r.Settings)...)
}

// iteration is one that was measured.
type iteration struct {
	learner.Step         // its Seconds hold the whole, too
	outside      float64 // seconds that were not spent inside of ONNX Runtime
}

// Result is what a row's iterations came to.
type Result struct {
	Row
	Encoder    string             `json:"encoder"`
	Head       string             `json:"head"`
	Crop       string             `json:"crop"`
	Batch      int                `json:"batch"` // source images, and as many target images
	Device     string             `json:"device"`
	State      string             `json:"state"`
	TF32       bool               `json:"tf32"`
	SetUp      float64            `json:"set_up_seconds"` // library, state and sessions
	First      float64            `json:"first_seconds"`  // the first iteration, which searches algorithms and grows memory
	Iterations int                `json:"iterations"`     // that the following are medians of, after those that warm up
	Seconds    map[string]float64 `json:"seconds"`        // by stage, and the whole
	Outside    float64            `json:"outside_percent"`
	ToDevice   int64              `json:"h2d"` // bytes in an iteration
	FromDevice int64              `json:"d2h"`
	DevicePeak float64            `json:"peak_device_mib,omitempty"` // beyond what was in use before
	HostPeak   float64            `json:"peak_host_mib"`
	Nodes      map[string]int     `json:"nodes"` // by provider, of all sessions
	Fallback   []string           `json:"fallback,omitempty"`
	Captured   int                `json:"captured,omitempty"`   // sessions whose runs are captured
	Uncaptured map[string]string  `json:"uncaptured,omitempty"` // why not, by session
	Losses     map[string]float64 `json:"losses"`               // of the last iteration
}

// whole is the name of an iteration's time among those of its stages.
const whole = "whole"

// Measure runs a row's iterations for about as long as given, at least one after one that
// warms up and at most twenty, and tells the seconds of each.
func Measure(ctx context.Context, r Row, most time.Duration, told func(seconds float64)) (res Result, err error) {
	cfg, err := r.Config()
	if err != nil {
		return res, err
	}
	m := &measurement{cfg: cfg, res: Result{
		Row: r, Encoder: cfg.Model.Encoder, Head: cfg.Model.Head, Batch: cfg.Train.Batch, State: cfg.Runtime.State,
		Crop: cropOf(cfg), Nodes: map[string]int{}, Uncaptured: map[string]string{},
	}}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := m.open(); err != nil {
		return m.res, err
	}
	start := time.Now()
	for it := 0; ctx.Err() == nil && it <= mostIterations && (it < 2 || time.Since(start) < most); it++ {
		one, err := m.iterate(ctx, it)
		if err != nil {
			return m.res, err
		}
		told(one.Seconds[whole])
	}
	return m.result(), ctx.Err() // what an interrupt leaves is a result, too
}

func cropOf(cfg configs.Config) string {
	return fmt.Sprintf("%d×%d", cfg.Data.Crop.Width, cfg.Data.Crop.Height)
}

// mostIterations is how many are measured of a row.
const mostIterations = 20

// measurement is one under way.
type measurement struct {
	cfg   configs.Config
	res   Result
	e     *engine.Engine
	t     *trial.Trial
	peak  *peak
	taken []iteration // without the first
}

func (m *measurement) open() (err error) {
	start := time.Now()
	m.peak = watch(m.cfg.Runtime.Device)
	o := orchestrator.EngineOptions(m.cfg)
	o.Placed = m.placed
	if m.e, err = engine.Open(o); err != nil {
		return err
	}
	m.res.Device = m.e.Info().Device
	m.res.TF32 = m.e.HasOwnMemory() && m.cfg.AllowsTF32()
	if m.t, err = trial.New(m.e, m.cfg, trial.Batches(m.cfg, 2), nil); err != nil {
		return err
	}
	m.res.SetUp = time.Since(start).Seconds()
	return nil
}

func (m *measurement) placed(p engine.Placement) {
	for provider, n := range p.Providers {
		m.res.Nodes[provider] += n
	}
	m.res.Fallback = append(m.res.Fallback, p.Fallback...)
	slices.Sort(m.res.Fallback)
	m.res.Fallback = slices.Compact(m.res.Fallback)
	if p.Captured {
		m.res.Captured++
	}
	if p.Uncaptured != "" {
		m.res.Uncaptured[p.Session] = p.Uncaptured
	}
}

func (m *measurement) iterate(ctx context.Context, it int) (iteration, error) {
	start, inside := time.Now(), trial.NewClock(ctx)
	s, err := m.t.Step(inside, it)
	if err != nil {
		return iteration{}, fmt.Errorf("iteration %d: %w", it, err)
	}
	took := time.Since(start).Seconds()
	s.Seconds[whole] = took
	one := iteration{s, took - inside.Spent.Seconds()}
	m.res.Losses = s.Losses
	if it == 0 {
		m.res.First = took
	} else {
		m.taken = append(m.taken, one)
	}
	return one, nil
}

// result sums up.
func (m *measurement) result() Result {
	r := &m.res
	r.Iterations, r.Seconds = len(m.taken), map[string]float64{}
	if len(m.taken) == 0 {
		return *r
	}
	for stage := range m.taken[0].Seconds {
		r.Seconds[stage] = m.median(func(i iteration) float64 { return i.Seconds[stage] })
	}
	r.Outside = m.median(func(i iteration) float64 { return 100 * i.outside / i.Seconds[whole] })
	last := m.taken[len(m.taken)-1]
	r.ToDevice, r.FromDevice = last.ToDevice, last.FromDevice
	if peak := m.peak.stop(); m.e.HasOwnMemory() { // auto may have led to the CPU
		r.DevicePeak = peak
	}
	r.HostPeak = hostPeak()
	return *r
}

func (m *measurement) median(of func(iteration) float64) float64 {
	all := make([]float64, len(m.taken))
	for i, one := range m.taken {
		all[i] = of(one)
	}
	return median.Of(all)
}

func (m *measurement) close() error {
	var errs []error
	if m.t != nil {
		errs = append(errs, m.t.Close())
	}
	if m.e != nil {
		errs = append(errs, m.e.Close())
	}
	m.peak.stop()
	return errors.Join(errs...)
}

// hostPeak is the process's largest resident size so far, in MiB.
func hostPeak() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Maxrss) / maxrssPerMiB
}
