// Package orchestrator runs trainings: a run's directory, data, checkpoints on disk,
// evaluations, events, export and report around a [learner.Learner], which does the
// learning; and several runs side by side, for comparisons.
package orchestrator

import (
	"cmp"
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
	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/internal/atomicfile"
	"t2sda/internal/interrupt"
	"t2sda/internal/plural"
	"t2sda/internal/ranks"
	"t2sda/internal/shell"
)

// Options are what a run needs besides its configuration.
type Options struct {
	Log      *zap.Logger
	Out      io.Writer       // progress and results, for people
	Terminal bool            // Out is a terminal: draw a progress bar in place
	Resume   bool            // continue the newest run of the configuration's name, or
	Run      string          // the one in this directory, if it is not empty
	Strict   bool            // a damaged checkpoint is an error; without it the run goes back to one that is whole
	Extend   int             // iterations by which the run that is continued, which is finished, is extended; 0: none
	Disk     atomicfile.Disk // through which the run's files are written; its zero value is the operating system's
	Version  string          // of the program, for the model's metadata
	Program  string          // how the program is called, for messages; empty: t2sda
	Command  string          // the command line as typed, for the record; may be empty
	// Executable is this program, which [TrainAll] starts; empty: the file of the running one.
	Executable string
	// Ranks are the processes that train the run together, each by a Run of its own; nil:
	// this one does alone.
	Ranks *ranks.Group
	// Logger makes the log of a rank that does not lead, which goes to a file in the run's
	// directory, as what is for people does; nil: none.
	Logger func(w io.Writer) *zap.Logger
	// Vet is asked before a model that translates is opened, see [engine.Options]; nil:
	// none.
	Vet  func(path string, model []byte, device string) error
	wire ranks.Wire // by which gradients go from GPU to GPU; nil: they pass through the host
	home string     // directory that keeps the command for a run and its baseline; empty: each run's own
	// start is what the network starts from; nil: model.init, a file or what is in the
	// program.
	start *start
}

// Outcome is what a run leaves behind, besides files.
type Outcome struct {
	Method     string        `json:"method"`
	Seed       uint64        `json:"seed"`
	Iterations int           `json:"iterations"`
	ConfigHash string        `json:"config_hash"`
	Result     *score.Result `json:"result"`             // of model.onnx on the evaluation split
	Baseline   *score.Result `json:"baseline,omitempty"` // of source-only
	Agreement  float64       `json:"agreement"`          // share of pixels that model.onnx labels as the unfolded network does
	ModelSum   string        `json:"model_sha256"`       // of model.onnx; empty in results from before it was kept
	Skipped    []Skipped     `json:"skipped,omitempty"`  // files that training did without
	Seconds    float64       `json:"seconds"`            // of training, evaluation and export, over all processes of the run
	Dir        string        `json:"-"`
}

// The files of a run directory.
const (
	ConfigFile = "config.yaml" // the resolved configuration, which resumes the run
	resultFile = "result.json"
	modelFile  = "model.onnx"
	reportFile = "report.html"
	// The report's pictures, for a quick look.
	inputsFile      = "inputs.png"
	predictionsFile = "predictions.png"
	baselineName    = "baseline"
	lockFile        = "run.lock"     // locked, see [lockDir]; empty
	rankLogs        = "rank-*.log"   // of ranks that do not lead
	commandsFile    = "commands.txt" // that began and resumed the run, see [keepCommand]
)

// Run trains cfg's method (and source-only first, if cfg asks for a baseline),
// exports the student, scores the exported file and writes the report. It
// returns the context's error, after saving a checkpoint, when ctx ends.
//
// Where there are ranks, all call it with one configuration, and all get the same error
// or none; the outcome is complete where the rank leads.
func Run(ctx context.Context, cfg configs.Config, o Options) (_ *Outcome, err error) {
	if err := o.meet(cfg); err != nil {
		return nil, err
	}
	if _, err := baselineOf(cfg); err != nil { // now, not when the data are open
		return nil, err
	}
	if cfg, err = onNode(cfg, o.Ranks); err != nil {
		return nil, err
	}
	e, err := openRank(cfg, o)
	if err != nil {
		return nil, err
	}
	defer e.Close() // its sessions are closed by then; nothing is left to fail
	wire, disconnect, err := o.connect(ctx, cfg, e, rankGPUOf(e))
	if err != nil {
		return nil, err
	}
	defer func() { disconnect(err == nil || o.Ranks.Ended()) }()
	o.wire = wire
	dir, release, err := o.claim(cfg)
	if err != nil {
		return nil, err
	}
	defer release()
	defer func() {
		if err != nil {
			err = o.resumable(err, dir)
			if o.Ranks.Leads() {
				discardUnused(dir)
			}
		}
	}()
	endLog, err := o.logRank(dir)
	if err != nil {
		return nil, err
	}
	defer endLog()
	if cfg, err = o.settle(ctx, cfg, dir); err != nil {
		return nil, err
	}
	base := filepath.Join(dir, baselineName)
	info := e.Info()
	o.home = dir
	o.Log.Info("run", zap.String("directory", dir), zap.String("runtime", info.Version), zap.String("device", info.Device))

	var baseline *Outcome
	first, err := baselineOf(cfg)
	if err == nil && first != nil {
		// What the method itself reads is looked for before its baseline is trained, unless all is done.
		err = leaderOnly(o.Ranks, func() error {
			if done, _ := readOutcome(dir, cfg); done != nil {
				return nil
			}
			return checkInputs([]Job{{Row: string(cfg.Method), Config: cfg}})
		})
	}
	if err == nil && first != nil {
		baseline, err = runOne(ctx, *first, base, nil, e, o)
	}
	if err != nil {
		return nil, err
	}
	out, err := runOne(ctx, cfg, dir, baseline, e, o)
	if err != nil || !o.Ranks.Leads() {
		return out, err
	}
	return out, out.print(o.Out, baseline)
}

// claim returns the directory of the run, locked until release, in which what killed
// processes have left is gone.
func (o Options) claim(cfg configs.Config) (dir string, release func(), err error) {
	var lock *os.File
	err = leaderOnly(o.Ranks, func() (err error) {
		dir, lock, err = claimDir(cfg, o)
		return err
	})
	release = func() {
		if lock != nil {
			lock.Close() // the lock goes with it
		}
	}
	if err == nil {
		dir, err = shareDir(o.Ranks, dir)
	}
	if err != nil {
		release()
		return dir, nil, err
	}
	if !o.Ranks.Leads() {
		return dir, release, nil
	}
	base := filepath.Join(dir, baselineName)
	tidyUp(o.Log, dir, base)
	if err := errors.Join(removeUnfinished(o.Disk, dir), removeUnfinished(o.Disk, base)); err != nil {
		o.Log.Warn("what a killed process has left is still there: " + err.Error())
	}
	return dir, release, nil
}

// settle returns the configuration of the run in dir, which keeps it, and makes the data
// that the program itself has.
func (o Options) settle(ctx context.Context, cfg configs.Config, dir string) (configs.Config, error) {
	err := leaderFirst(o.Ranks, func() error { return renderStreets(ctx, cfg, o) })
	if err != nil {
		return cfg, err
	}
	cfg, err = o.shareOut(cfg, dir)
	if err := o.Ranks.Agree(err); err != nil {
		return cfg, err
	}
	err = leaderOnly(o.Ranks, func() (err error) {
		if o.Extend > 0 {
			if cfg, err = o.extended(cfg, dir); err != nil {
				return err
			}
		}
		return keepConfig(o.Disk, cfg, dir)
	})
	if o.Extend > 0 && !o.Ranks.Leads() {
		cfg = cfg.Extend(o.Extend)
	}
	return cfg, err
}

// shareOut returns the configuration with the run's own place, so that its config.yaml
// resumes this run and not a later one of the first name, and with as many micro-batches
// as it began with, or as there are ranks.
func (o Options) shareOut(cfg configs.Config, dir string) (configs.Config, error) {
	cfg, err := placedIn(cfg, dir)
	if err != nil {
		return cfg, err
	}
	if cfg.Train.Accumulate == 0 && exists(filepath.Join(dir, ConfigFile)) {
		began, err := runConfig(dir)
		switch {
		case err != nil && o.Ranks.Size() == 1:
			return cfg, nil // what it was told will do, as ever
		case err != nil:
			return cfg, err
		}
		cfg.Train.Accumulate = began.Train.Accumulate
		if n := began.Train.MicroBatches(); n < o.Ranks.Size() {
			return cfg, fmt.Errorf("%s learns from %s an iteration, which %d processes cannot share out: go on with at most as many", dir, plural.Of(n, "micro-batch", "micro-batches"), o.Ranks.Size())
		}
	}
	return cfg.ForRanks(o.Ranks.Size())
}

// baselineOf returns the configuration of the source-only run that cfg's is held against, nil if there
// is none.
func baselineOf(cfg configs.Config) (*configs.Config, error) {
	if !cfg.Baseline || cfg.Method == configs.SourceOnly {
		return nil, nil
	}
	base, err := cfg.WithMethod(configs.SourceOnly)
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	return &base, nil
}

// resumable tells how to go on after an interrupt, or a failure before which the
// state was saved.
func (o Options) resumable(err error, dir string) error {
	if !begun(dir) {
		return err
	}
	again := fmt.Sprintf("%s train --resume -c %s", cmp.Or(o.Program, "t2sda"), shell.Quote(filepath.Join(dir, ConfigFile)))
	if text, ok := interrupt.Text(err); ok {
		return interrupt.Explain(err, "%s; saved, continue with: %s", cmp.Or(text, "stopped"), again)
	}
	if saved := new(savedError); errors.As(err, &saved) {
		return fmt.Errorf("%w; what was trained so far is saved: once that is mended, continue with: %s", err, again)
	}
	return err
}

// runOne trains one method in dir. A run that is complete is not repeated: its
// outcome is read back.
func runOne(ctx context.Context, cfg configs.Config, dir string, baseline *Outcome, e *engine.Engine, o Options) (*Outcome, error) {
	done, err := fromLeader(o.Ranks, func() (*Outcome, error) {
		if err := setAside(dir, cfg); err != nil {
			return nil, err
		}
		return readOutcome(dir, cfg)
	})
	if err != nil || done != nil {
		return done, err
	}
	t, err := prepare(ctx, cfg, dir, e, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := errors.Join(t.close(), t.data.close()); err != nil {
			o.Log.Error("closing the trainer", zap.Error(err))
		}
	}()
	if err := t.resume(o.Strict); err != nil {
		return nil, err
	}
	if t.learner.Arch().Published() && cfg.Model.Init == "" && t.progress.Iteration == 0 {
		o.Log.Warn("model.init is empty: the encoder starts from random weights, the paper's from ImageNet's")
	}
	// Not before: a configuration that is refused must not replace the run's own.
	err = leaderOnly(o.Ranks, func() error {
		return errors.Join(writeConfig(o.Disk, cfg, dir), keepCommand(o.Disk, cmp.Or(o.home, dir), o.Command))
	})
	if err != nil {
		return nil, err
	}
	if err := t.run(ctx); err != nil {
		return nil, err
	}
	out := &Outcome{Method: string(cfg.Method), Seed: cfg.Seed, Iterations: cfg.Train.Iterations, ConfigHash: cfg.Hash(), Dir: dir, Skipped: t.progress.Skipped}
	if baseline != nil {
		out.Baseline = baseline.Result
	}
	if err := t.deliver(ctx, out, baseline); err != nil {
		return nil, err
	}
	out.Seconds = t.seconds()
	return out, leaderOnly(o.Ranks, func() error {
		if err := out.write(o.Disk); err != nil {
			return err
		}
		t.leaveLastRound()
		return nil
	})
}

// prepare opens the data and builds the trainer on it. Both are the caller's to
// close, the trainer first.
func prepare(ctx context.Context, cfg configs.Config, dir string, e *engine.Engine, o Options) (*trainer, error) {
	began := time.Now()
	err := leaderFirst(o.Ranks, func() (err error) { // before the data: it takes no time, or the network
		if o.start, err = findStart(ctx, cfg, dir, o.Log); err != nil {
			err = fmt.Errorf("model.init: %w", err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.start.remove() }() // of the system's folder for such things
	cache, err := statsFolder(cfg, o.Log)
	if err := o.Ranks.Agree(err); err != nil {
		return nil, err
	}
	d, err := openData(ctx, cfg, dir, e, cache, o.Log, o.Ranks)
	if err != nil {
		return nil, err
	}
	if err := leaderOnly(o.Ranks, func() error { return d.keepInputs(o.Disk, cfg, dir) }); err != nil {
		return nil, errors.Join(err, d.close())
	}
	t, err := newTrainer(cfg, dir, o, e, d)
	if err := agreed(o.Ranks.Agree, err, func() error { return t.close() }); err != nil {
		return nil, errors.Join(err, d.close())
	}
	t.began = began
	return t, nil
}

// openEngine opens the engine for what opens no model files of others.
func openEngine(cfg configs.Config) (*engine.Engine, error) {
	return engine.Open(vetting(cfg, nil, zap.NewNop()))
}

// vetting are [EngineOptions] with [Options.Vet], and with a log of what runs where.
func vetting(cfg configs.Config, vet func(path string, model []byte, device string) error, log *zap.Logger) engine.Options {
	o := EngineOptions(cfg)
	o.Vet, o.Placed = vet, func(p engine.Placement) { logPlacement(log, p) }
	return o
}

// EngineOptions translates the runtime's configuration.
func EngineOptions(cfg configs.Config) engine.Options {
	r := cfg.Runtime
	return engine.Options{
		Strict: r.Strict, Library: r.Library, Device: r.Device, IntraOpThreads: r.Threads, AllowSpinning: r.Spinning, Kernels: engine.Kernels(r.Kernels), ProfilePrefix: r.Profile,
		ExactArena: cfg.Train.Recompute == configs.RecomputeBlocks,
		CUDA: engine.CUDAOptions{
			TF32: cfg.AllowsTF32(), ConvAlgoSearch: r.CUDA.ConvAlgoSearch,
			ArenaExtendStrategy: r.CUDA.ArenaExtendStrategy, MemoryLimit: r.CUDA.MemoryLimitMB << 20, SharedArena: r.CUDA.SharedArena,
			Graph: r.CUDA.Graph,
		},
	}
}

// logPlacement tells which providers run a session's nodes, where that can be asked.
func logPlacement(log *zap.Logger, p engine.Placement) {
	if p.OnCPU() && p.Captured {
		log.Warn("runtime.cuda.graph: the CPU captures nothing, and only does all that goes with it, which takes time", zap.String("session", p.Session))
	}
	if p.OnCPU() && p.Uncaptured == "" {
		return
	}
	log.Info("session", zap.String("name", p.Session), zap.String("nodes by provider", p.String()), zap.Bool("captured", p.Captured))
	if p.Uncaptured != "" {
		log.Warn("the session's runs cannot be captured, it runs node by node (runtime.strict makes this an error)",
			zap.String("session", p.Session), zap.String("why", p.Uncaptured))
	}
	if len(p.Fallback) > 0 {
		log.Warn("operators that the device lacks run on the CPU, and their data cross at every run (runtime.strict makes this an error)",
			zap.String("session", p.Session), zap.Strings("operators", p.Fallback))
	}
}

// readOutcome returns a complete run's outcome, nil when dir holds none. One of
// another configuration is an error.
func readOutcome(dir string, cfg configs.Config) (*Outcome, error) {
	out, err := outcomeIn(dir)
	if out != nil && out.ConfigHash != cfg.Hash() {
		return nil, fmt.Errorf("%s belongs to another configuration (hash %s, this one has %s): use that run's config.yaml, or another name for this one (name=…)", filepath.Join(dir, resultFile), out.ConfigHash, cfg.Hash())
	}
	return out, err
}

// outcomeIn returns the outcome that dir holds, of whatever configuration; nil for none.
func outcomeIn(dir string) (*Outcome, error) {
	path := filepath.Join(dir, resultFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &Outcome{Dir: dir}
	if err := out.decode(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// decode reads the text of a result.json, which must hold what every run's does.
func (out *Outcome) decode(text []byte) error {
	if err := json.Unmarshal(text, out); err != nil {
		return err
	}
	if out.Result == nil {
		return errors.New("it holds no result")
	}
	if err := out.Result.Validate(); err != nil || out.Baseline == nil {
		return err
	}
	if err := out.Baseline.Validate(); err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	return nil
}

func (out *Outcome) write(disk atomicfile.Disk) error {
	return disk.WriteJSON(filepath.Join(out.Dir, resultFile), out)
}

// print tells what was gained and where everything lies.
func (out *Outcome) print(w io.Writer, baseline *Outcome) error {
	fmt.Fprintf(w, "\n%s on the target domain, %s\n", out.Method, plural.Of(out.Result.Images, "image", "images"))
	if err := out.Result.Table(w, out.Baseline); err != nil {
		return err
	}
	if out.Baseline != nil {
		fmt.Fprintf(w, "\ntarget mIoU %.1f %% before adaptation (source-only), %.1f %% after (%s): %+.1f\n",
			100*float64(out.Baseline.MIoU), 100*float64(out.Result.MIoU), out.Method, 100*float64(out.Result.MIoU-out.Baseline.MIoU))
	}
	if text := skipped(out.Skipped).summary(); text != "" {
		fmt.Fprintf(w, "%s (all: %s)\n", text, filepath.Join(out.Dir, resultFile))
	}
	seconds := out.Seconds
	if baseline != nil {
		seconds += baseline.Seconds
	}
	fmt.Fprintf(w, "trained, evaluated and exported in %s\n", time.Duration(seconds*float64(time.Second)).Round(time.Second))
	for _, line := range [][2]string{
		{"model", modelFile}, {"report", reportFile}, {"pictures", predictionsFile}, {"checkpoints", checkpointDir}, {"events", eventsFile}, {"result", resultFile},
	} {
		fmt.Fprintf(w, "  %-12s %s\n", line[0], filepath.Join(out.Dir, line[1]))
	}
	return nil
}
