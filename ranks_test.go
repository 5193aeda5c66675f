package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/mpi/mpitest"
)

// trainWords trains a tiny network on tiny streets, which are rendered first.
func trainWords(name string, settings ...string) []string {
	return append([]string{
		"train", "output=runs", "name=" + name, "baseline=false", "runtime.device=cpu", "runtime.threads=1",
		"data.streets.train=8", "data.streets.val=3", "data.streets.size.width=128", "data.streets.size.height=64",
		"data.crop.width=64", "data.crop.height=64", "translate.engine=fda", "model.head_width=16", "model.projector_width=16",
		"loss.pull.queries=8", "loss.pull.negatives=16", "train.adapt_after=0.1", "train.warmup=0", "train.eval_every=0", "train.checkpoint_every=0",
	}, settings...)
}

// job is a run of the program, by one process or by ranks.
type job struct {
	*exec.Cmd
	said bytes.Buffer
	dir  string // of the run
}

// newJob prepares to train in folder with so many ranks.
func newJob(t *testing.T, folder string, ranks int, name string, words ...string) *job {
	t.Helper()
	j := &job{Cmd: exec.CommandContext(t.Context(), os.Args[0], words...), dir: filepath.Join(folder, "runs", name)}
	j.Env = os.Environ()
	if ranks > 1 {
		j.Cmd = mpitest.Command(t, ranks, os.Args[0], words...)
	}
	j.Dir, j.Env, j.Stdout, j.Stderr = folder, append(j.Env, programEnv+"=1"), &j.said, &j.said
	return j
}

// trained returns a job that has ended well.
func trained(t *testing.T, folder string, ranks int, name string, words ...string) *job {
	t.Helper()
	j := newJob(t, folder, ranks, name, words...)
	if err := j.Run(); err != nil {
		t.Fatalf("%d ranks: %v\n%s", ranks, err, &j.said)
	}
	return j
}

// start begins a job that is to run for long, and waits until it trains.
func (j *job) start(t *testing.T) {
	t.Helper()
	if err := j.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); j.iterations() < 3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not train: %s", &j.said)
		}
	}
}

// iterations counts the events of the run.
func (j *job) iterations() int {
	text, _ := os.ReadFile(filepath.Join(j.dir, "events.jsonl")) // none before the first
	return bytes.Count(text, []byte("\n"))
}

// differs is what may differ between runs that are the same: how long things took, and
// where they lie.
var differs = regexp.MustCompile(`,?"seconds":\{[^}]*\}|"(seconds|images_per_second)": [^\n]*|[^"]*runs/[a-z]+`)

// kept are the files of a run that no number of ranks changes: the weights of the last
// checkpoint, the model, its evaluation with its pictures, and the events.
func kept(iterations int) []string {
	names := []string{"model.onnx", "events.jsonl", "result.json", "predictions.png"}
	for _, name := range []string{"student", "teacher", "optimizer"} {
		names = append(names, fmt.Sprintf("checkpoints/iter_%06d/%s.safetensors", iterations, name))
	}
	return names
}

// equals compares what two runs have kept.
func (j *job) equals(t *testing.T, want *job, iterations int) {
	t.Helper()
	for _, name := range kept(iterations) {
		a, errA := os.ReadFile(filepath.Join(want.dir, name))
		b, errB := os.ReadFile(filepath.Join(j.dir, name))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB, &j.said)
		}
		if a, b = differs.ReplaceAll(a, nil), differs.ReplaceAll(b, nil); !bytes.Equal(a, b) {
			t.Errorf("%s of %s is not that of %s", name, j.dir, want.dir)
		}
	}
}

// TestRanks: what ranks train has the bits of what one process trains, also where they
// were stopped on the way and others went on.
func TestRanks(t *testing.T) {
	enginetest.Isolate(t)
	folder, iterations := t.TempDir(), 12
	if os.Getenv("T2SDA_TEST_LONG") != "" {
		iterations = 50
	}
	settings := []string{fmt.Sprint("train.iterations=", iterations), fmt.Sprint("train.eval_every=", iterations/2), "train.batch=1", "train.accumulate=2"}
	one := trained(t, folder, 1, "one", trainWords("one", settings...)...)
	two := trained(t, folder, 2, "two", trainWords("two", settings...)...)
	two.equals(t, one, iterations)
	if _, err := os.Stat(filepath.Join(two.dir, "rank-1.log")); err != nil {
		t.Error(err)
	}
	stopped := newJob(t, folder, 2, "stopped", trainWords("stopped", settings...)...)
	stopped.start(t)
	stopped.signal(t, syscall.SIGUSR1, 128+int(syscall.SIGUSR1))
	trained(t, folder, 1, "stopped", "train", "--resume", filepath.Join("runs", "stopped"))
	stopped.equals(t, one, iterations)
}

// TestNodes: four ranks of two machines, in the long tests also those that are placed on them in
// turn, come to the bits of one process; people hear how sums are made.
func TestNodes(t *testing.T) {
	enginetest.Isolate(t)
	if err := exec.CommandContext(t.Context(), "unshare", "-u", "hostname", "node-0").Run(); err != nil {
		t.Skipf("needs machines' names of its own, by unshare -u: %v", err)
	}
	folder := t.TempDir()
	settings := []string{"train.iterations=2", "train.batch=1", "train.accumulate=4"}
	one := trained(t, folder, 1, "one", trainWords("one", settings...)...)
	type placement struct{ node, want string }
	placements := map[string]placement{
		"nodes": {"rank / 2", "gradients are added up within each of 2 nodes first, by 2 ranks each, then between nodes"},
	}
	if os.Getenv("T2SDA_TEST_LONG") != "" {
		placements["robin"] = placement{"rank % 2", "gradients are added up by all ranks at once: the ranks of node-0 do not follow one another"}
	}
	for name, k := range placements {
		j := newJob(t, folder, 4, name, trainWords(name, settings...)...)
		at := slices.Index(j.Args, os.Args[0])
		j.Args = slices.Insert(j.Args, at, "unshare", "-u", "sh", "-c", "rank=$OMPI_COMM_WORLD_RANK; hostname node-$(("+k.node+`)) && exec "$0" "$@"`)
		if err := j.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, &j.said)
		}
		if strings.Count(j.said.String(), k.want) != 1 {
			t.Errorf("%s: it says %s", name, &j.said)
		}
		j.equals(t, one, 2)
	}
}

// TestRanksHRDA: of networks of two resolutions, whose evaluations go by windows, two
// ranks, of which one has an image more, find what one process finds.
func TestRanksHRDA(t *testing.T) {
	enginetest.Isolate(t)
	folder := t.TempDir()
	settings := []string{
		"method=t2s+mask", "loss.mask.block=16", "train.iterations=2", "train.batch=1", "train.accumulate=2",
		"model.hrda.detail.width=32", "model.hrda.detail.height=32", "model.hrda.weight=0.1", "model.hrda.attention=8",
	}
	one := trained(t, folder, 1, "one", trainWords("one", settings...)...)
	trained(t, folder, 2, "two", trainWords("two", settings...)...).equals(t, one, 2)
	evaluated(t, folder)
}

// evaluated compares what one process and two ranks say of the model of a folder's run
// one, and shows that ranks of different words are refused.
func evaluated(t *testing.T, folder string) {
	t.Helper()
	words := []string{"evaluate", "--model", "runs/one/model.onnx", "--root", "data/streets/camera", "--device", "cpu", "--threads", "1", "--flip", "--json", "scores.json", "--confusion", "matrix.png", "--save-predictions", "seen"}
	said := map[int]string{}
	for _, ranks := range []int{1, 2} {
		j := newJob(t, folder, ranks, "one", words...)
		if err := j.Run(); err != nil {
			t.Fatalf("%v\n%s", err, &j.said)
		}
		for _, name := range []string{"scores.json", "matrix.png", "seen/trainids/*/*.png", "seen/overlay/*/*.png"} {
			paths, err := filepath.Glob(filepath.Join(folder, name))
			if err != nil || len(paths) == 0 {
				t.Fatal(name, err)
			}
			for _, path := range paths {
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				said[ranks] += string(differs.ReplaceAll(text, nil))
			}
		}
		if strings.Count(j.said.String(), "mean IoU  ") != 1 {
			t.Errorf("%d ranks say %s", ranks, &j.said)
		}
		if err := os.RemoveAll(filepath.Join(folder, "seen")); err != nil {
			t.Fatal(err)
		}
	}
	if said[1] != said[2] {
		t.Error("two ranks say something else of a model than one process")
	}
	j := newJob(t, folder, 2, "one", words...)
	at := slices.Index(j.Args, "-np")
	j.Args = slices.Concat(j.Args[:at], []string{"-np", "1", os.Args[0]}, words, []string{":", "-np", "1", os.Args[0]}, words[:len(words)-2])
	if err := j.Run(); err == nil || strings.Count(j.said.String(), "t2sda: the command line of rank 1 ") != 1 {
		t.Errorf("%v, ranks of two command lines say %s", err, &j.said)
	}
}

// signal sends a signal to the launcher, which is to end with a code.
func (j *job) signal(t *testing.T, s syscall.Signal, code int) {
	t.Helper()
	if err := j.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	err := j.Wait()
	if ended := new(exec.ExitError); !errors.As(err, &ended) || ended.ExitCode() != code {
		t.Fatalf("%v: %v, want exit code %d\n%s", s, err, code, &j.said)
	}
	if strings.Count(j.said.String(), "t2sda: interrupted: stopped after iteration") != 1 {
		t.Errorf("%v: it says %s", s, &j.said)
	}
}

// TestRankKilled: the job of a rank that is killed ends within seconds, and it is said
// which one it was.
func TestRankKilled(t *testing.T) {
	enginetest.Isolate(t)
	j := newJob(t, t.TempDir(), 2, "killed", trainWords("killed", "train.iterations=100000")...)
	j.start(t)
	victim := rankOf(t, j.Process.Pid, 1)
	begin := time.Now()
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := j.Wait(); err == nil || time.Since(begin) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	if text := j.said.String(); !strings.Contains(text, "rank 1") || !strings.Contains(text, "signal 9") {
		t.Errorf("it says %s", text)
	}
}

// rankOf finds the process of a rank of a launcher.
func rankOf(t *testing.T, launcher, rank int) int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil || len(all) == 0 {
		t.Skip("there is no /proc to find the process in")
	}
	for _, path := range all {
		environ, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environ, fmt.Appendf(nil, "\x00OMPI_COMM_WORLD_RANK=%d\x00", rank)) {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		if err != nil || !bytes.Contains(status, fmt.Appendf(nil, "\nPPid:\t%d\n", launcher)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil {
			return pid
		}
	}
	t.Fatalf("there is no rank %d", rank)
	return 0
}

// TestBadRanks: ranks that do not fit together are told so once, before anything is
// trained, and leave nothing behind.
func TestBadRanks(t *testing.T) {
	enginetest.Isolate(t)
	for _, c := range []struct {
		name   string
		first  []string
		second []string // of rank 1; nil: as rank 0
		want   string
	}{
		{"more ranks than micro-batches", []string{"train.accumulate=1"}, nil, "train.accumulate: want at least 2, so that each of 2 processes has a micro-batch"},
		{"configurations", []string{"seed=1"}, []string{"seed=2"}, "rank 1 ("},
		{"outputs", []string{"output=runs"}, []string{"output=elsewhere"}, "was told another name, output"},
		{"data", []string{"data.streets.enabled=false", "data.source.root=/nowhere"}, nil, "/nowhere"},
		{"exchange", []string{"runtime.exchange=nccl", "runtime.state=device"}, nil, "runtime.exchange=nccl, but the gradients of rank 0 ("},
		{"exchanges", []string{"runtime.exchange=auto"}, []string{"runtime.exchange=mpi"}, "was told runtime.exchange=mpi and rank 0 auto"},
		{"settings", []string{"train.batch=0"}, nil, "train.batch: want at least 1, have 0"},
	} {
		folder := t.TempDir()
		j := newJob(t, folder, 2, "bad", trainWords("bad", c.first...)...)
		if c.second != nil { // two programs in one job
			at := slices.Index(j.Args, "-np")
			words := slices.Concat(j.Args[:at], []string{"-np", "1", os.Args[0]}, trainWords("bad", c.first...), []string{":", "-np", "1", os.Args[0]}, trainWords("bad", c.second...))
			j.Args = words
		}
		err := j.Run()
		if err == nil || strings.Count(j.said.String(), "t2sda: ") != 1 || !strings.Contains(j.said.String(), c.want) {
			t.Errorf("%s: %v, it says %s", c.name, err, &j.said)
		}
		if _, err := os.Stat(j.dir); err == nil {
			t.Errorf("%s: %s is left behind", c.name, j.dir)
		}
	}
}
