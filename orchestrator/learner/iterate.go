package learner

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/finite"
	"t2sda/internal/rng"
)

// Step is what an iteration did, as it is recorded.
type Step struct {
	Iteration int                `json:"iteration"`
	Losses    map[string]float64 `json:"losses,omitempty"`
	LR        float64            `json:"lr,omitempty"`
	GradNorm  float64            `json:"grad_norm,omitempty"`
	Quality   []float64          `json:"q,omitempty"`        // share of confident target pixels, per image
	Selected  float64            `json:"selected,omitempty"` // share of target pixels whose labels L_st or L_views takes
	Queries   []int              `json:"queries,omitempty"`  // pull queries per class
	Weights   []float64          `json:"weights,omitempty"`  // of the classes: of all queries of each in L_pull, or of its pixels in L_T
	// QueryWeights are those of one query of each class in L_pull.
	QueryWeights []float64          `json:"query_weights,omitempty"`
	Seconds      map[string]float64 `json:"seconds,omitempty"` // wall time per stage
	// What moved between host and device, in bytes; 0 where there is no such thing.
	ToDevice   int64 `json:"h2d,omitempty"`
	FromDevice int64 `json:"d2h,omitempty"`
	// LossScale is what losses were multiplied by for float16's sake; 0: by nothing.
	// Overflow: gradients were not finite then, and the update was left out.
	LossScale float64 `json:"loss_scale,omitempty"`
	Overflow  bool    `json:"overflow,omitempty"`
}

// Stage is a part of an iteration whose time is taken.
type Stage struct {
	Name string
	Note string // what it does, for people
}

// phase is when in an iteration a stage runs.
type phase int

// An iteration's phases. A batch of several micro-batches is looked at as a whole before
// anything is learned from a part of it.
const (
	look  phase = iota // at each micro-batch: its images, and what the teacher says of them
	plan               // once: what is summed over all micro-batches, or drawn from them
	learn              // from each micro-batch: its gradient
	move               // once: the state
)

// stage is a Stage with what it runs, in the iterations in which it is on.
type stage struct {
	Stage
	phase phase
	on    func(i *iteration) bool
	run   func(ctx context.Context, i *iteration) error
}

// iteration is one iteration under way.
type iteration struct {
	index  int
	adapts bool // L_T and L_pull have set in (train.adapt_after)
	next   func(ctx context.Context) (*datasets.Batch, error)
	step   Step

	micro   int               // which of this process's micro-batches is under way
	batch   *datasets.Batch   // the micro-batch, after the first stage
	batches []*datasets.Batch // of this process
	parts   []part            // what was learned from each
	// running are batch statistics, micro-batch by micro-batch and run by run.
	running []float32
	noted   []*pass   // of which they are
	mixed   []*mixing // of micro-batches that the teacher has looked at, where a term mixes
	// background is what goes on while sessions run, and ends with the iteration: it reads the batch
	// and what teachers have said.
	background sync.WaitGroup
}

func always(*iteration) bool     { return true }
func adapting(i *iteration) bool { return i.adapts }

// terms has one row for each loss that a method may be made of, in the order of
// an iteration. A term contributes its stages, in one of which it adds its gradient;
// what it opens for them is the learner's to close.
var terms = []struct {
	name   string
	stages func(l *Learner) ([]stage, error)
}{
	{configs.TermSource, sourceStages},                     // L_S
	{configs.TermAdversarial, adversarialStages},           // λ_adv·L_adv; it looks at what L_S has predicted
	{configs.TermClassAdversarial, classAdversarialStages}, // λ_adv·L_cadv; likewise
	{configs.TermPull, pullStages},                         // λ·L_pull
	{configs.TermMix, mixStages},                           // L_T
	{configs.TermMask, maskStages},                         // L_M
	{configs.TermEntropy, entropyStages},                   // λ_ent·L_ent
	{configs.TermSelect, selectStages},                     // L_st
	{configs.TermViews, viewsStages},                       // L_views
	{configs.TermDenoise, denoiseStages},                   // L_dn
	{configs.TermCluster, clusterStages},                   // L_cl
	{configs.TermAssociate, associateStages},               // L_asso
	{configs.TermContrast, contrastStages},                 // L_con
	{configs.TermRegions, regionsStages},                   // L_reg
}

// buildStages makes the configured terms and lists an iteration's stages.
func (l *Learner) buildStages() error {
	l.stages = []stage{
		{Stage{"data", "waiting for crops, which other threads prepare"}, look, always, l.fetch},
	}
	if l.target != nil {
		l.stages = append(l.stages, stage{teacherStage, look, adapting, func(ctx context.Context, i *iteration) error {
			if err := l.target.run(ctx, i.batch.Target, i.micro); err != nil {
				return err
			}
			if l.mixes() {
				l.mixAhead(i, i.micro)
			}
			return nil
		}})
		if l.cfg.Loss.Quality == "batch" {
			l.stages = append(l.stages, stage{planStage, plan, adapting, l.countConfident})
		}
	}
	for _, row := range terms {
		if !l.cfg.Trains(row.name) {
			continue
		}
		stages, err := row.stages(l)
		if err != nil {
			return err
		}
		l.stages = append(l.stages, stages...)
	}
	if l.spread() {
		l.stages = append(l.stages, l.reduceStage())
	}
	l.stages = append(l.stages, stage{Stage{"update", "AdamW"}, move, always, l.update})
	if l.state.teacher != nil {
		l.stages = append(l.stages, stage{Stage{"ema", "the teacher follows the student"}, move, always, l.updateTeacher})
	}
	slices.SortStableFunc(l.stages, func(a, b stage) int { return cmp.Compare(a.phase, b.phase) })
	return nil
}

// Stages lists the stages of an iteration in order, each name once.
func (l *Learner) Stages() []Stage {
	var out []Stage
	seen := map[string]bool{}
	for _, s := range l.stages {
		if !seen[s.Name] {
			out = append(out, s.Stage)
		}
		seen[s.Name] = true
	}
	return out
}

// Iterate trains iteration index, counted from 0, on the micro-batches of this process,
// which next returns one after the other. Where there are ranks, all of them iterate at
// the same time, and an error of one is an error of all. An error of next is returned as
// it is, with nothing changed, and another rank's as a [ranks.PeerError]. After any other
// the state is undefined; one that is [ErrNotFinite] says that training has diverged.
func (l *Learner) Iterate(ctx context.Context, index int, next func(ctx context.Context) (*datasets.Batch, error)) (step Step, err error) {
	c := l.cfg.Train
	i := &iteration{
		index: index, next: next,
		adapts: index >= c.FirstAdapting(),
		step:   Step{Iteration: index, LR: LearningRate(c, index), Losses: map[string]float64{}, Seconds: map[string]float64{}},
	}
	defer i.background.Wait()
	if l.countsBytes() {
		in, out := l.engine.Crossed()
		defer func() {
			toDevice, fromDevice := l.engine.Crossed()
			step.ToDevice, step.FromDevice = toDevice-in, fromDevice-out
		}()
	}
	if l.scaling != nil {
		i.step.LossScale = l.scaling.Scale
		l.state.lossScale[0] = float32(l.scaling.Scale)
	}
	for _, phase := range []func(context.Context, *iteration) error{l.lookAtAll, l.planAll, l.learnFromAll} {
		if err := l.agree(phase(ctx, i)); err != nil {
			return i.step, err
		}
	}
	if err := l.updateRunning(i); err != nil {
		return i.step, l.agree(err)
	}
	if err := l.runPhase(ctx, i, move); err != nil {
		return i.step, l.agree(err)
	}
	return i.step, nil
}

// runPhase runs the stages of a phase that are on, and takes their time.
func (l *Learner) runPhase(ctx context.Context, i *iteration, p phase) error {
	for _, s := range l.stages {
		if s.phase != p || !s.on(i) {
			continue
		}
		start := time.Now()
		if err := s.run(ctx, i); err != nil {
			return err
		}
		i.step.Seconds[s.Name] += time.Since(start).Seconds()
	}
	return nil
}

// countsBytes reports whether state or sessions are elsewhere than on the host.
func (l *Learner) countsBytes() bool {
	return l.engine.HasOwnMemory() || l.state.student.Host() == nil
}

// noise draws what is random about a pass of the student over the micro-batch's images.
func (l *Learner) noise(i *iteration, loss string) draws {
	return func(image int) *rand.Rand {
		return rng.New(l.cfg.Seed, i.index, fmt.Sprintf("noise/%s/%d", loss, i.batch.First+image))
	}
}

// fetch waits for the micro-batch: crops [B,3,H,W] of each domain, the source's also
// translated.
func (l *Learner) fetch(ctx context.Context, i *iteration) (err error) {
	if i.batch, err = i.next(ctx); err == nil {
		i.batches = append(i.batches, i.batch)
	}
	return err
}

// update moves the student one AdamW step, unless scaled gradients have overflowed.
func (l *Learner) update(_ context.Context, i *iteration) error {
	norm, err := l.optimizer.norm()
	if err != nil {
		return err
	}
	u := update{index: i.index, lr: i.step.LR, norm: norm, scale: 1}
	if l.scaling != nil {
		u.index, u.scale, u.norm = i.index-l.scaling.Skipped, l.scaling.Scale, norm/l.scaling.Scale
	}
	switch {
	case finite.Is(u.norm):
		i.step.GradNorm = u.norm
	case l.scaling != nil && l.scaling.overflowed():
		i.step.Overflow = true
		return nil
	default:
		return NotFiniteError(fmt.Sprintf("the gradient's norm is %v", u.norm))
	}
	if l.scaling != nil {
		l.scaling.succeeded()
	}
	return l.optimizer.step(u)
}

// updateTeacher moves the teacher towards the student. The update after iteration
// t is the one that DAFormer's code makes at the beginning of iteration t+1. It is part of
// an update that is left out.
func (l *Learner) updateTeacher(_ context.Context, i *iteration) error {
	if i.step.Overflow {
		return nil
	}
	return l.optimizer.follow(emaDecay(l.cfg.Train.EMA, i.index+1))
}
