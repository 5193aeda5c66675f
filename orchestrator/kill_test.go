package orchestrator

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/sha256sum"
)

// longEnv is set where tests may take minutes, as in `task test:full`.
const longEnv = "T2SDA_TEST_LONG"

// killConfig is a run that renders its data, counts classes, evaluates, and delivers.
func killConfig(root, output string) configs.Config {
	c := shapesConfig(root, output)
	at := func(domain, split string) configs.Dataset {
		return configs.Dataset{Layout: "cityscapes", Root: filepath.Join(root, domain), Split: split}
	}
	c.Data.Source, c.Data.Target, c.Data.Eval = at("game", "train"), at("camera", "train"), at("camera", "val")
	c.Data.Streets.Enabled, c.Data.Streets.Train, c.Data.Streets.Val = true, 8, 4
	c.Data.Streets.Size = configs.Size{Width: 128, Height: 64}
	return c
}

// TestKillAndResume kills runs with SIGKILL at random moments, some in each phase, and
// resumes them: each ends as the run that nothing happened to, in its losses, scores,
// events, checkpoints, model, result and rendered data, and nothing is left behind.
func TestKillAndResume(t *testing.T) {
	enginetest.Isolate(t)
	if output := os.Getenv("T2SDA_TEST_OUTPUT"); output != "" { // the child
		o := record(t, os.Getenv("T2SDA_TEST_PHASES"))
		if _, err := Run(t.Context(), killConfig(os.Getenv("T2SDA_TEST_ROOT"), output), o); err != nil {
			t.Fatal(err)
		}
		return
	}
	kills, seed := 3, uint64(time.Now().UnixNano())
	if os.Getenv(longEnv) != "" {
		kills = 20
	}
	t.Logf("seed %d", seed)
	k := &killer{root: filepath.Join(t.TempDir(), "data"), random: rand.New(rand.NewPCG(seed, 0))}
	first := k.start(t)
	if err := first.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	k.whole, k.phases = first, readPhases(first.phases)
	phases := slices.Clone(allPhases)
	k.random.Shuffle(len(phases), func(i, j int) { phases[i], phases[j] = phases[j], phases[i] })
	died := map[string]int{}
	for i := range kills {
		died[k.kill(t, phases[i%len(phases)])]++
	}
	t.Logf("killed %d times: %v", kills, died)
}

// killer starts runs and kills them.
type killer struct {
	root   string // of the data that all runs render
	random *rand.Rand
	whole  *victim // the run that nothing happens to
	phases []phase // its
}

// victim is a run in a process of its own.
type victim struct {
	cmd            *exec.Cmd
	output, phases string
	cache          string
}

func (v *victim) dir() string { return filepath.Join(v.output, "shapes") }

// start begins a run from nothing: without data, counts or checkpoints.
func (k *killer) start(t *testing.T) *victim {
	t.Helper()
	if err := os.RemoveAll(k.root); err != nil {
		t.Fatal(err)
	}
	v := &victim{output: t.TempDir(), cache: t.TempDir(), phases: filepath.Join(t.TempDir(), "phases")}
	v.cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKillAndResume$")
	v.cmd.Env = append(os.Environ(), "T2SDA_TEST_ROOT="+k.root, "T2SDA_TEST_OUTPUT="+v.output, "T2SDA_TEST_PHASES="+v.phases)
	t.Setenv("XDG_CACHE_HOME", v.cache)
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return v
}

// kill kills a run at a random moment of a phase, as far as processes take equally long,
// resumes it, compares it and returns the phase in which it died.
func (k *killer) kill(t *testing.T, in string) (died string) {
	t.Helper()
	at, wait := k.moment(in)
	v := k.start(t)
	ended := make(chan error, 1)
	go func() { ended <- v.cmd.Wait() }()
	defer func() { _ = v.cmd.Process.Kill() }()
	waitFor(t, func() bool { return len(readPhases(v.phases)) > at || len(ended) > 0 })
	time.Sleep(wait)
	if err := v.cmd.Process.Kill(); err != nil {
		t.Logf("meant to die in %s, it was faster: %v", in, err)
	}
	<-ended // its error is the signal
	seen := readPhases(v.phases)
	if len(seen) == 0 {
		t.Fatal("it died before it began")
	}
	died = seen[len(seen)-1].name
	where := fmt.Sprintf("killed in %s, %v into the run's phase %d", died, wait, len(seen)-1)
	t.Log(where)
	o := quiet()
	o.Resume = exists(v.dir())
	t.Setenv("XDG_CACHE_HOME", v.cache)
	if _, err := Run(t.Context(), killConfig(k.root, v.output), o); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	k.compare(t, where, v)
	return died
}

// moment is a time within a phase: the number of phases before it, and how far into it.
func (k *killer) moment(in string) (at int, wait time.Duration) {
	var of []int
	for i, p := range k.phases[:len(k.phases)-1] { // the last one is open
		if p.name == in {
			of = append(of, i)
		}
	}
	if len(of) == 0 {
		return len(k.phases) - 1, 0
	}
	at = of[k.random.IntN(len(of))]
	return at, time.Duration(k.random.Float64() * float64(k.phases[at+1].began-k.phases[at].began))
}

// compare expects the run's files to be the whole run's, and none that should have gone.
func (k *killer) compare(t *testing.T, where string, v *victim) {
	t.Helper()
	have, want := remains(t, v.dir()), remains(t, k.whole.dir())
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if have[name] != want[name] {
			t.Errorf("%s: %s: %v, uninterrupted %v", where, name, have[name], want[name])
		}
		delete(have, name)
	}
	if len(have) > 0 {
		t.Errorf("%s: there are more: %v", where, slices.Sorted(maps.Keys(have)))
	}
	for _, dir := range []string{v.output, v.cache, k.root} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && strings.HasPrefix(e.Name(), ".") {
				t.Errorf("%s: %s is still there", where, path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// remains is what is compared of a run's folder, by file: everything but times, and, in
// text, but places.
func remains(t *testing.T, dir string) map[string]any {
	t.Helper()
	all := map[string]any{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		text, err := os.ReadFile(path)
		switch base := filepath.Base(name); {
		case base == sumsFile || base == lockFile || strings.HasPrefix(base, "events.out."): // of times, empty, of times
		case base == ConfigFile || base == reportFile:
			all[name] = "there"
		case base == eventsFile:
			for i, line := range strings.Split(string(text), "\n") {
				flatten(all, fmt.Sprint(name, " line ", i+1), parsed(line))
			}
		case filepath.Ext(base) == ".json":
			flatten(all, name, parsed(strings.ReplaceAll(string(text), dir, "DIR")))
		default:
			all[name] = sha256sum.Of(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// parsed is a JSON value, or the text itself.
func parsed(text string) (value any) {
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return text
	}
	return value
}

// flatten puts every number and text of a JSON value into all, but what tells of time.
func flatten(all map[string]any, name string, value any) {
	switch x := value.(type) {
	case map[string]any:
		for key, v := range x {
			if key != "seconds" && key != "images_per_second" {
				flatten(all, name+" "+key, v)
			}
		}
	case []any:
		for i, v := range x {
			flatten(all, fmt.Sprint(name, " ", i), v)
		}
	default:
		all[name] = value
	}
}
