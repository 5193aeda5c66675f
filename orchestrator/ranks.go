package orchestrator

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/internal/ranks"
	"t2sda/orchestrator/learner"
)

// Where several ranks train one run, all of them do what [Run] does, step by step; only
// the first of them, which leads, writes files and speaks to the user. Steps that may
// fail on one rank alone end where ranks agree, so that all go on or all stop.

// hello is what ranks must have in common, and what tells them apart.
type hello struct {
	Version string `json:"version"`
	Hash    string `json:"hash"` // of the configuration
	Rest    string `json:"rest"` // of the configuration, how long and where to
}

// meet makes sure that all ranks are of one program and do the same.
func (o Options) meet(cfg configs.Config) error {
	if o.Ranks.Size() == 1 {
		return nil
	}
	mine := hello{
		Version: o.Version, Hash: cfg.Hash(),
		Rest: fmt.Sprint(cfg.Name, cfg.Output, cfg.Baseline, cfg.Train.EvalEvery, cfg.Train.CheckpointEvery, cfg.Train.Keep, o.Resume, o.Run, o.Extend, o.Strict),
	}
	all, err := ranks.Tell(o.Ranks, mine)
	if err != nil {
		return err
	}
	first := all[0]
	for rank, h := range all[1:] {
		name := o.Ranks.Name(rank + 1)
		switch {
		case h.Version != first.Version:
			err = fmt.Errorf("%s runs version %s of the program and rank 0 version %s: install one version on all nodes", name, h.Version, first.Version)
		case h.Hash != first.Hash:
			err = fmt.Errorf("%s has another configuration than rank 0 (hash %s and %s): give all ranks the same files, presets and settings", name, h.Hash, first.Hash)
		case h.Rest != first.Rest:
			err = fmt.Errorf("%s was told another name, output, or way to evaluate, save or resume than rank 0: start all ranks by one command line", name)
		default:
			continue
		}
		return o.Ranks.Agree(err)
	}
	return nil
}

// heed returns what the rank that leads says.
func heed[T any](g *ranks.Group, mine T) (T, error) {
	if g.Size() == 1 {
		return mine, nil
	}
	var nothing T
	if g.Leads() {
		_, err := ranks.Tell(g, mine)
		return mine, err
	}
	all, err := ranks.Tell(g, nothing)
	if err != nil {
		return nothing, err
	}
	return all[0], nil
}

// agreed is what ranks agree on of an error; what this one has opened without any is closed
// where others failed.
func agreed(agree func(error) error, err error, end func() error) error {
	failed := agree(err)
	if failed != nil && err == nil {
		failed = errors.Join(failed, end())
	}
	return failed
}

// fromLeader returns what f gives on the rank that leads; its error is everybody's.
func fromLeader[T any](g *ranks.Group, f func() (T, error)) (v T, err error) {
	err = leaderOnly(g, func() (err error) {
		v, err = f()
		return err
	})
	if err == nil {
		v, err = heed(g, v)
	}
	return v, err
}

// leaderFirst calls f on the rank that leads and then, if all went well, on the others:
// what the first makes, they find.
func leaderFirst(g *ranks.Group, f func() error) error {
	err := leaderOnly(g, f)
	if err != nil {
		return err
	}
	if !g.Leads() {
		err = f()
	}
	return learner.Agree(g, err)
}

// leaderOnly calls f on the rank that leads; its error is everybody's.
func leaderOnly(g *ranks.Group, f func() error) error {
	var err error
	if g.Leads() {
		err = f()
	}
	return learner.Agree(g, err)
}

// onNode shares the cores of a machine out to its ranks, as far as the configuration leaves
// it open.
func onNode(cfg configs.Config, g *ranks.Group) (_ configs.Config, err error) {
	cfg.Runtime.Threads, err = Threads(g, cfg.Runtime.Threads)
	return cfg, err
}

// Threads is how many a rank has: as many as it was told, or, for 0, its share of the cores
// of its machine. A process that is alone keeps the 0.
func Threads(g *ranks.Group, told int) (int, error) {
	if g.Size() == 1 {
		return told, nil
	}
	type cores struct{ Node, Cores string } // launchers may bind ranks to some of them
	mine := cores{g.Node(), affinity()}
	all, err := ranks.Tell(g, mine)
	if err != nil || told != 0 {
		return told, err
	}
	sharing := 0
	for _, c := range all {
		if c == mine {
			sharing++
		}
	}
	return max(1, runtime.NumCPU()/sharing), nil
}

// logRank makes the log of a rank that does not lead a file in the run's directory, until
// the function that it returns is called.
func (o *Options) logRank(dir string) (end func(), err error) {
	g := o.Ranks
	if g.Leads() {
		return func() {}, g.Agree(nil)
	}
	path := filepath.Join(dir, strings.Replace(rankLogs, "*", strconv.Itoa(g.Rank()), 1))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err := g.Agree(err); err != nil {
		return nil, err
	}
	o.Out, o.Terminal = f, false
	if o.Logger != nil {
		o.Log = o.Logger(f)
	}
	return func() { _ = f.Close() }, nil // what it holds is for looking at only
}

// markFile is what the rank that leads leaves in the run's directory for the others to see.
const markFile = ".ranks"

// shareDir tells the other ranks where the run's directory is, and makes sure that it is
// the same one.
func shareDir(g *ranks.Group, dir string) (string, error) {
	if g.Size() == 1 {
		return dir, nil
	}
	token := rand.Text()
	if dir != "" {
		abs, err := filepath.Abs(dir)
		if err == nil {
			dir, err = abs, os.WriteFile(filepath.Join(abs, markFile), []byte(token), 0o666)
		}
		if err := g.Agree(err); err != nil {
			return "", err
		}
		defer os.Remove(filepath.Join(dir, markFile)) // a leftover says nothing to anybody
	} else if err := g.Agree(nil); err != nil {
		return "", err
	}
	said, err := heed(g, [2]string{dir, token})
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(said[0], markFile))
	if err != nil || string(text) != said[1] {
		err = fmt.Errorf("this rank does not see the run's directory %s of rank 0: output must be a folder that all nodes share", said[0])
	}
	return said[0], g.Agree(err)
}

// shareBegan gives the other ranks what the first one has counted and measured.
func (d *data) shareBegan(g *ranks.Group) error {
	if g.Size() == 1 {
		return nil
	}
	type made struct {
		Stats  *datasets.Stats
		Camera json.RawMessage
	}
	mine := made{Stats: d.began.Stats}
	if d.began.Camera != nil {
		text, err := json.Marshal(d.began.Camera)
		if err != nil {
			return err
		}
		mine.Camera = text
	}
	said, err := heed(g, mine)
	if err != nil || g.Leads() {
		return err
	}
	d.began.Stats = said.Stats
	if said.Camera != nil {
		return json.Unmarshal(said.Camera, &d.began.Camera)
	}
	return nil
}

// sameData makes sure that all ranks have found the same images.
func (d *data) sameData(g *ranks.Group) error {
	if g.Size() == 1 {
		return nil
	}
	mine := map[string][2]string{}
	for name, set := range map[string]*datasets.Dataset{"source": d.source, "target": d.target, "eval": d.eval} {
		if set != nil {
			mine[name] = [2]string{fmt.Sprint(set.Len()), set.NamesKey()}
		}
	}
	all, err := ranks.Tell(g, mine)
	if err != nil {
		return err
	}
	for rank, sets := range all {
		for _, name := range []string{"source", "target", "eval"} {
			if sets[name] != all[0][name] {
				return g.Agree(fmt.Errorf("%s finds %s images in data.%s and rank 0 finds %s, or others: all nodes need the same files", g.Name(rank), sets[name][0], name, all[0][name][0]))
			}
		}
	}
	return nil
}

// sameState makes sure that ranks have not drifted apart, as a faulty machine may let them.
func (t *trainer) sameState() error {
	g := t.ranks
	if g.Size() == 1 {
		return nil
	}
	sum, err := t.learner.Sum()
	if err := g.Agree(err); err != nil {
		return err
	}
	all, err := ranks.Tell(g, sum)
	if err != nil {
		return err
	}
	for rank, s := range all {
		if s != all[0] {
			return g.Agree(fmt.Errorf("after iteration %d the weights of %s are not those of rank 0: a node computes or sends something else than it should; nothing is saved of it", t.progress.Iteration, g.Name(rank)))
		}
	}
	return nil
}

// agree makes an error of one rank an error of all.
func (t *trainer) agree(err error) error { return learner.Agree(t.ranks, err) }

// together returns a context that ends for all ranks after the same iteration: when any
// of them is told to stop.
func (t *trainer) together(signals context.Context) (ctx context.Context, end func()) {
	t.signals = signals
	if t.ranks.Size() == 1 {
		return signals, func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(signals))
	t.stop = cancel
	return ctx, cancel
}

// heedSignals ends the context of [trainer.together] if any rank was told to stop.
func (t *trainer) heedSignals() error {
	stop, err := t.ranks.Stop(t.signals.Err() != nil)
	if stop {
		t.stop()
	}
	return err
}

// counted tells the other ranks what was counted here of an evaluation.
func (t *trainer) counted(mine []byte, err error) ([][]byte, error) {
	if errors.Is(err, predict.ErrNotFinite) {
		err = learner.NotFiniteError(err.Error())
	}
	if err := t.agree(err); err != nil {
		if errors.Is(err, context.Canceled) {
			t.stop()
		}
		return nil, err
	}
	return ranks.Texts(t.ranks, mine)
}

// openEvents opens the run's logs, of the rank that leads.
func (t *trainer) openEvents(from int, known ...Event) (log *eventLog, err error) {
	err = leaderOnly(t.ranks, func() (err error) {
		log, err = openEvents(t.disk, t.dir, from, t.warn, known...)
		return err
	})
	return log, err
}

// tellSkipped counts what other ranks did without in an iteration.
func (t *trainer) tellSkipped(it int, e *Event) error {
	mine := t.skipped
	t.skipped = nil
	if t.ranks.Size() == 1 || !t.cfg.SkipsBadFiles() {
		return nil
	}
	all, err := ranks.Tell(t.ranks, mine)
	if err != nil {
		return err
	}
	for rank, faults := range all {
		for _, f := range faults {
			if rank != t.ranks.Rank() {
				t.skip(it, e, f)
			}
		}
	}
	return nil
}
