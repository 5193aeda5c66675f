package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/export"
	"t2sda/graphs/engine"
	"t2sda/internal/atomicfile"
)

// Options are what a run needs besides its configuration.
type Options struct {
	Log      *zap.Logger
	Out      io.Writer // progress and results, for people
	Terminal bool      // Out is a terminal: draw a progress bar in place
	Resume   bool      // continue the newest run of the configuration's name
	Version  string    // of the program, for the model's metadata
}

// Outcome is what a run leaves behind, besides files.
type Outcome struct {
	Method     string         `json:"method"`
	Seed       uint64         `json:"seed"`
	Iterations int            `json:"iterations"`
	ConfigHash string         `json:"config_hash"`
	Result     *export.Result `json:"result"`             // of model.onnx on the evaluation split
	Baseline   *export.Result `json:"baseline,omitempty"` // of source-only
	Agreement  float64        `json:"agreement"`          // share of pixels that model.onnx labels as the unfolded network does
	Seconds    float64        `json:"seconds"`            // of training and evaluation in this process
	Dir        string         `json:"-"`
}

// The files of a run directory.
const (
	configFile   = "config.yaml"
	resultFile   = "result.json"
	modelFile    = "model.onnx"
	reportFile   = "report.html"
	stripFile    = "strip.png" // the report's samples, for a quick look
	baselineName = "baseline"
)

// Run trains cfg's method (and source-only first, if cfg asks for a baseline),
// exports the student, scores the exported file and writes the report. It
// returns the context's error, after saving a checkpoint, when ctx ends.
func Run(ctx context.Context, cfg configs.Config, o Options) (*Outcome, error) {
	if err := renderStreets(ctx, cfg, o); err != nil {
		return nil, err
	}
	dir, err := runDir(cfg, o.Resume)
	if err != nil {
		return nil, err
	}
	e, err := openEngine(cfg)
	if err != nil {
		return nil, err
	}
	defer e.Close() // its sessions are closed by then; nothing is left to fail
	info := e.Info()
	o.Log.Info("runtime", zap.String("version", info.Version), zap.String("device", info.Device))

	var baseline *Outcome
	if cfg.Baseline && cfg.Method != configs.SourceOnly {
		c := cfg
		c.Method, c.Baseline = configs.SourceOnly, false
		if baseline, err = runOne(ctx, c, filepath.Join(dir, baselineName), nil, e, o); err != nil {
			return nil, interrupted(err, cfg, dir)
		}
	}
	out, err := runOne(ctx, cfg, dir, baseline, e, o)
	if err != nil {
		return nil, interrupted(err, cfg, dir)
	}
	return out, out.print(o.Out, baseline)
}

// interrupted tells how to go on after an interrupt.
func interrupted(err error, cfg configs.Config, dir string) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w; saved, continue with: t2sda train --resume -c %s", err, filepath.Join(dir, configFile))
}

// runOne trains one method in dir. A run that is complete is not repeated: its
// outcome is read back.
func runOne(ctx context.Context, cfg configs.Config, dir string, baseline *Outcome, e *engine.Engine, o Options) (*Outcome, error) {
	if done, err := readOutcome(dir, cfg); err != nil || done != nil {
		return done, err
	}
	if err := writeConfig(cfg, dir); err != nil {
		return nil, err
	}
	began := time.Now()
	cache, err := statsCache()
	if err != nil {
		return nil, err
	}
	d, err := openData(ctx, cfg, cache, o.Log)
	if err != nil {
		return nil, err
	}
	t, err := newTrainer(cfg, dir, o, e, d)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := t.close(); err != nil {
			o.Log.Error("closing the trainer", zap.Error(err))
		}
	}()
	if err := t.resume(); err != nil {
		return nil, err
	}
	if err := t.run(ctx); err != nil {
		return nil, err
	}
	out := &Outcome{Method: cfg.Method, Seed: cfg.Seed, Iterations: cfg.Train.Iterations, ConfigHash: cfg.Hash(), Dir: dir}
	baselineModel := ""
	if baseline != nil {
		out.Baseline, baselineModel = baseline.Result, filepath.Join(baseline.Dir, modelFile)
	}
	if err := t.deliver(ctx, out, baselineModel); err != nil {
		return nil, err
	}
	out.Seconds = time.Since(began).Seconds()
	return out, out.write()
}

// openEngine translates the runtime's configuration.
func openEngine(cfg configs.Config) (*engine.Engine, error) {
	r := cfg.Runtime
	return engine.Open(engine.Options{
		Library: r.Library, Device: r.Device, IntraOpThreads: r.Threads, AllowSpinning: r.Spinning, ProfilePrefix: r.Profile,
		CUDA: engine.CUDAOptions{
			TF32: r.CUDA.TF32, ConvAlgoSearch: r.CUDA.ConvAlgoSearch,
			ArenaExtendStrategy: r.CUDA.ArenaExtendStrategy, MemoryLimit: r.CUDA.MemoryLimitMB << 20,
		},
	})
}

// runDir returns the directory of a new run, output/name or output/name-2, …,
// or with resume the newest one that exists.
func runDir(cfg configs.Config, resume bool) (string, error) {
	base := filepath.Join(cfg.Output, cfg.Name)
	newest := ""
	for n := 1; ; n++ {
		dir := base
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", base, n)
		}
		_, err := os.Stat(dir)
		switch {
		case err == nil:
			newest = dir
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("output: %w", err)
		case resume && newest == "":
			return "", fmt.Errorf("nothing to resume: there is no run in %s", base)
		case resume:
			return newest, nil
		default:
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return "", fmt.Errorf("output: %w", err)
			}
			return dir, nil
		}
	}
}

func writeConfig(cfg configs.Config, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	text, err := cfg.YAML()
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, configFile), text)
}

// statsCache is where class statistics are kept between runs.
func statsCache() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache of class statistics: %w", err)
	}
	return filepath.Join(base, "t2sda", "stats"), nil
}

// readOutcome returns a complete run's outcome, nil when dir holds none. One of
// another configuration is an error.
func readOutcome(dir string, cfg configs.Config) (*Outcome, error) {
	path := filepath.Join(dir, resultFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &Outcome{Dir: dir}
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if out.ConfigHash != cfg.Hash() {
		return nil, fmt.Errorf("%s belongs to another configuration (hash %s, this one has %s)", path, out.ConfigHash, cfg.Hash())
	}
	return out, nil
}

func (out *Outcome) write() error {
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(out.Dir, resultFile), append(text, '\n'))
}

// print tells what was gained and where everything lies.
func (out *Outcome) print(w io.Writer, baseline *Outcome) error {
	fmt.Fprintf(w, "\n%s on the target domain, %d images\n", out.Method, out.Result.Images)
	if err := out.Result.Table(w, out.Baseline); err != nil {
		return err
	}
	if out.Baseline != nil {
		fmt.Fprintf(w, "\ntarget mIoU %.1f %% before adaptation (source-only), %.1f %% after (%s): %+.1f\n",
			100*float64(out.Baseline.MIoU), 100*float64(out.Result.MIoU), out.Method, 100*float64(out.Result.MIoU-out.Baseline.MIoU))
	}
	seconds := out.Seconds
	if baseline != nil {
		seconds += baseline.Seconds
	}
	fmt.Fprintf(w, "trained, evaluated and exported in %s\n", time.Duration(seconds*float64(time.Second)).Round(time.Second))
	for _, line := range [][2]string{
		{"model", modelFile}, {"report", reportFile}, {"pictures", stripFile}, {"checkpoints", checkpointDir}, {"events", eventsFile}, {"result", resultFile},
	} {
		fmt.Fprintf(w, "  %-12s %s\n", line[0], filepath.Join(out.Dir, line[1]))
	}
	return nil
}
