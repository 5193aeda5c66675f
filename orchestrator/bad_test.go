package orchestrator

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"

	"t2sda/graphs/engine/enginetest"
	"t2sda/orchestrator/learner"

	"t2sda/configs"
)

// TestBadInput pairs what can be wrong about a run's surroundings with its
// message. Faults of single files are tested in package datasets, those of
// configuration files in package configs.
func TestBadInput(t *testing.T) {
	enginetest.Isolate(t)
	for _, c := range []struct {
		name string
		harm func(t *testing.T, root string, c *configs.Config)
		want string
	}{
		{"missing folder", func(_ *testing.T, root string, c *configs.Config) {
			c.Data.Source.Root = filepath.Join(root, "nowhere")
		}, "data.source: "},
		{"target without images", func(t *testing.T, root string, c *configs.Config) {
			removeAll(t, filepath.Join(root, "target", "images"))
			if err := os.MkdirAll(filepath.Join(root, "target", "images"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, "data.target: "},
		{"evaluation without labels", func(_ *testing.T, root string, c *configs.Config) {
			c.Data.Eval.Root = filepath.Join(root, "target")
		}, "data.eval: "},
		{"crop larger than the image", func(_ *testing.T, _ string, c *configs.Config) {
			c.Data.Crop.Width = 128
		}, "128"},
		{"other classes", func(t *testing.T, root string, c *configs.Config) {
			c.Data.Eval.Map = filepath.Join(root, "other.yaml")
			writeFile(t, c.Data.Eval.Map, strings.Replace(shapesMap, "disc", "blob", 1))
		}, "lead to different classes: [ground box disc] and [ground box blob]"},
		{"truncated image", func(t *testing.T, root string, _ *configs.Config) {
			truncate(t, filepath.Join(root, "target", "images", "2.png"))
		}, filepath.Join("target", "images", "2.png")},
		{"id outside of the map", func(t *testing.T, root string, _ *configs.Config) {
			writeFile(t, filepath.Join(root, "map.yaml"), strings.Replace(shapesMap, "ids: [2]", "ids: [7]", 1))
		}, "source/labels/"},
		{"empty class", func(t *testing.T, root string, c *configs.Config) {
			writeFile(t, filepath.Join(root, "map.yaml"), "classes: [{name: a, ids: [9]}, {name: b, ids: [8]}]\nignore: [0, 1, 2, 255]\n")
		}, "class"},
		{"unknown encoder", func(_ *testing.T, _ string, c *configs.Config) { c.Model.Encoder = "vgg" }, "vgg"},
		{"unknown translation engine", func(_ *testing.T, _ string, c *configs.Config) { c.Translate.Engine = configs.Engines{"gan": 1} }, "gan"},
		{"missing weights", func(_ *testing.T, root string, c *configs.Config) {
			c.Model.Init = filepath.Join(root, "none.safetensors")
		}, "none.safetensors: no such file or directory (weights in the program: mit_nano;"},
		{"thing that is no class", func(_ *testing.T, _ string, c *configs.Config) {
			c.Model.Init, c.Loss.FeatureDistance = "mit_nano", configs.FeatureDistance{Weight: 1, Classes: []string{"box", "car"}, Ratio: 0.75}
		}, `loss.feature_distance.classes: the data has no class "car", only ground, box, disc`},
		{"no CUDA", func(_ *testing.T, _ string, c *configs.Config) { c.Runtime.Device = "cuda" }, "cuda"},
		{"output is a file", func(t *testing.T, _ string, c *configs.Config) {
			c.Output = filepath.Join(c.Output, "file")
			writeFile(t, c.Output, "")
		}, "output: "},
		{"nothing to resume", func(_ *testing.T, _ string, c *configs.Config) { c.Name = "other" }, "nothing to resume"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "no CUDA" && enginetest.OnDevice() {
				t.Skip("there is one")
			}
			root := t.TempDir()
			writeShapes(t, root)
			cfg := shapesConfig(root, t.TempDir())
			c.harm(t, root, &cfg)
			o := quiet()
			o.Resume = c.name == "nothing to resume"
			_, err := Run(t.Context(), cfg, o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("have %v\nwant … %s", err, c.want)
			}
		})
	}
}

func removeAll(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string) {
	t.Helper()
	if err := os.Truncate(path, 60); err != nil {
		t.Fatal(err)
	}
}

// resuming makes a test's run continue the newest one.
func resuming(o *Options) { o.Resume = true }

// resume goes on with a run to its end.
func resume(t *testing.T, c configs.Config) {
	t.Helper()
	o := quiet()
	resuming(&o)
	if _, err := Run(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
}

// stopAfter runs c until the meter prints the mark and expects an interrupted
// run that says how to go on.
func stopAfter(t *testing.T, c configs.Config, mark string, modify ...func(*Options)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := quiet()
	o.Out = writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), mark) {
			cancel()
		}
		return len(p), nil
	})
	for _, m := range modify {
		m(&o)
	}
	if _, err := Run(ctx, c, o); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "--resume") {
		t.Fatal(err)
	}
}

// TestCheckpointOfAnotherConfiguration: resuming with other numbers is refused.
func TestCheckpointOfAnotherConfiguration(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	stopAfter(t, c, " 2/6 ")
	c.Loss.Pull.Tau = 0.5
	o := quiet()
	o.Resume = true
	_, err := Run(t.Context(), c, o)
	if err == nil || !strings.Contains(err.Error(), "belongs to another configuration") || !strings.Contains(err.Error(), "iter_00000") {
		t.Errorf("have %v", err)
	}
}

// TestDivergence: a loss that is not finite stops the run, with what to do about
// it, also one that resumes; and every checkpoint that is kept is finite.
func TestDivergence(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.LR, c.Train.CheckpointEvery, c.Train.Iterations, c.Train.EvalEvery = 1e37, 1, 20, 0
	_, err := Run(t.Context(), c, quiet())
	if err == nil || !strings.Contains(err.Error(), "the loss diverged at iteration ") || !strings.Contains(err.Error(), "lower train.lr (now 1e+37)") {
		t.Fatalf("have %v, want the iteration that diverged", err)
	}
	o := quiet()
	resuming(&o)
	if _, again := Run(t.Context(), c, o); again == nil || again.Error() != err.Error() {
		t.Errorf("resumed: %v\nbefore: %v", again, err)
	}
	paths, err := checkpoints(filepath.Join(c.Output, c.Name), lastPrefix)
	if err != nil {
		t.Fatal(err)
	}
	s := openLearner(t, c)
	for _, p := range paths {
		if _, err := loadState(s, p, c.Hash()); err != nil {
			t.Error(err)
		}
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// TestDivergenceByMethod: whatever notices it first, the message is the same.
func TestDivergenceByMethod(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	for _, method := range []string{configs.SourceOnly, configs.SelfTraining, configs.T2S} {
		c := shapesConfig(root, t.TempDir())
		c.Method, c.Train.LR, c.Train.Iterations, c.Train.EvalEvery = configs.Method(method), 1e6, 20, 0
		_, err := Run(t.Context(), c, quiet())
		if err == nil || !strings.HasPrefix(err.Error(), "the loss diverged at iteration ") || !strings.Contains(err.Error(), "lower train.lr (now 1e+06)") {
			t.Errorf("%s: have %v", method, err)
		}
	}
}

// TestDivergenceAtEvaluation: weights that are finite and give NaN are a loss that
// diverged, whatever is done about bad files, and are not saved.
func TestDivergenceAtEvaluation(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Data.OnError = configs.OnErrorSkip
	d, err := prepareOnly(t, c, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	e, err := openEngine(c)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	tr, err := newTrainer(c, t.TempDir(), quiet(), e, d)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	student, err := tr.learner.Parts()[0].Tensors()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range student {
		for i := range x.Data {
			x.Data[i] = 1e30
		}
	}
	log, err := openEvents(tr.disk, tr.dir, 0, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	tr.progress.Iteration = 3
	err = tr.finishIteration(t.Context(), log, Event{Step: learner.Step{Iteration: 2}})
	if err == nil || !strings.HasPrefix(err.Error(), "the loss diverged at iteration 2 (") || !strings.Contains(err.Error(), "logits are not finite: NaN") || !strings.Contains(err.Error(), "lower train.lr") {
		t.Errorf("have %v", err)
	}
	if saved, _ := checkpoints(tr.dir, lastPrefix); len(saved) > 0 {
		t.Errorf("saved %v", saved)
	}
}

// TestDiskFull resumes in a process that may not write files beyond 64 KiB, as
// on a full disk: saving fails with the file's name, and what was saved before
// is whole.
func TestDiskFull(t *testing.T) {
	enginetest.Isolate(t)
	if output := os.Getenv("T2SDA_TEST_FULL"); output != "" { // the child
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		o := quiet()
		o.Resume = true
		_, err := Run(t.Context(), shapesConfig(os.Getenv("T2SDA_TEST_ROOT"), output), o)
		t.Fatal("RESULT ", err)
	}
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	stopAfter(t, c, " 2/6 ")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiskFull$")
	child.Env = append(os.Environ(), "T2SDA_TEST_ROOT="+root, "T2SDA_TEST_FULL="+c.Output)
	text, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(text), "was not saved") || !strings.Contains(string(text), "student.safetensors") || !strings.Contains(string(text), "file too large") {
		t.Fatalf("%v\n%s", err, text)
	}
	dir := filepath.Join(c.Output, c.Name, checkpointDir)
	if torn, _ := filepath.Glob(filepath.Join(dir, ".*")); len(torn) > 0 {
		t.Errorf("left behind: %v", torn)
	}
	stopAfter(t, c, " 4/6 ", resuming) // what was saved resumes
}
