// Package learner is one replica of what learns: student, teacher, loss terms and
// optimiser, and one iteration of the method. It reads and writes no files, and
// knows nothing of runs.
package learner

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/internal/ranks"
	"t2sda/losses"
)

// Learner trains one student by one method. It is not safe for concurrent use.
type Learner struct {
	cfg    configs.Config
	arch   nets.Arch
	engine *engine.Engine
	log    *zap.Logger

	state     *state
	optimizer optimizer
	scaling   *LossScale // of gradients in float16; nil: none

	frozen         *frozen                            // features to stay near; nil without the feature distance
	supervised     *supervised                        // the session of L_S and of L_T
	discriminators []*discriminator                   // of the terms that have one
	memory         []weights.Tensor                   // of terms, beside the network
	target         *teacher                           // of target images; nil where no term asks for it
	teachers       []*teacher                         // all of them
	regions        *losses.Regions                    // of crops; nil where no term asks for them
	soft           func(id string) (*Soft, error)     // labels of whole target images; nil: the teacher's of now
	assessor       *assessor                          // that makes them; nil until it is asked for
	rounds         []func(total *Total, it int) error // what terms do when there are others
	micros         *micros                            // of a batch, and the processes that share them out
	quality        float64                            // q of the batch, where that is configured
	stages         []stage                            // of an iteration, in order
	owned          []io.Closer                        // what Close closes, last first
}

// Options say what is learned, and from where.
type Options struct {
	Config configs.Config
	Space  datasets.Space
	// Initial weights, under our names, nil for none: the whole encoder, and as much
	// of head and projector as there is. Source names them in errors.
	Initial []weights.Tensor
	Source  string
	Log     *zap.Logger
	// Arena makes the memory of parameters, gradients, moments and teacher; nil: as
	// runtime.state says.
	Arena func(n int) (engine.Arena, error)
	// Soft returns what [Learner.Assess] said of a target image at the beginning of a round;
	// nil: terms that ask for it take what the teacher says now.
	Soft func(id string) (*Soft, error)
	// Ranks share the micro-batches of an iteration out; nil: this process does all.
	Ranks *ranks.Group
	// Wire carries gradients between ranks from where the state lies; nil: they pass through
	// the host's memory.
	Wire ranks.Wire
}

func (o Options) arena(e *engine.Engine) newArena {
	switch {
	case o.Arena != nil:
		return o.Arena
	case o.Config.Runtime.State == "device":
		return onDevice(e)
	}
	return onHost
}

// New allocates the state, draws or takes over its weights and builds all sessions.
// The caller keeps e open until it has closed the learner.
func New(e *engine.Engine, o Options) (*Learner, error) {
	l := &Learner{cfg: o.Config, arch: Arch(o.Config, len(o.Space.Classes)), engine: e, log: o.Log, soft: o.Soft}
	if err := l.build(o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Arch is the configured network for a number of classes. Methods without a
// term of features have no projector.
func Arch(cfg configs.Config, classes int) nets.Arch {
	m := cfg.Model
	a := nets.Arch{
		Encoder: m.Encoder, Head: m.Head, Classes: classes, HeadWidth: m.HeadWidth,
		ProjectorWidth: m.ProjectorWidth, ProjectorInput: m.ProjectorInput,
		DropPath: m.DropPath, Dropout: m.Dropout, Stem: m.Stem, EncoderBN: m.EncoderBN, Dilations: m.Dilations,
		EncoderTrain: m.EncoderTrain,
	}
	if cfg.UsesHRDA() {
		a.DetailWidth, a.DetailHeight, a.AttentionWidth = m.HRDA.Detail.Width, m.HRDA.Detail.Height, m.HRDA.Attention
	}
	if m.EncoderTrain == configs.TrainLoRA {
		a.LoRARank, a.LoRAAlpha = m.LoRA.Resolved()
	}
	a.Mean, a.Std = nets.Input(m.Encoder)
	if !cfg.UsesProjector() {
		a.ProjectorWidth = 0
	}
	return a
}

// build makes state, optimiser and terms.
func (l *Learner) build(o Options) (err error) {
	if err := l.arch.Validate(); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := l.arch.CheckDetails(l.cfg.Data.Crop.Width, l.cfg.Data.Crop.Height); err != nil {
		return fmt.Errorf("model.hrda with data.crop: %w", err)
	}
	if l.state, err = newState(l.arch, l.cfg.UsesTeacher(), l.cfg.Train, l.cfg.Seed, o.arena(l.engine)); err != nil {
		return err
	}
	l.own(l.state)
	if l.micros, err = newMicros(o.Ranks, l.cfg.Train.MicroBatches()); err != nil {
		return fmt.Errorf("train.accumulate: %w", err)
	}
	l.own(l.micros)
	if err := l.micros.allocate(l.engine, l.state, o.Wire); err != nil {
		return err
	}
	if err := l.usePrecision(); err != nil {
		return err
	}
	if o.Initial != nil {
		if err := l.state.initialise(o.Source, o.Initial, l.log); err != nil {
			return fmt.Errorf("model.init: %w", err)
		}
	}
	if l.optimizer, err = newOptimizer(l.engine, l.state, l.cfg.Train); err != nil {
		return err
	}
	l.own(l.optimizer)
	if err := l.buildShared(o.Space); err != nil {
		return err
	}
	if l.soft != nil {
		if err := l.openAssessor(); err != nil {
			return err
		}
	}
	return l.buildStages()
}

// buildShared makes what several terms look at.
func (l *Learner) buildShared(space datasets.Space) (err error) {
	size := l.crops()
	if l.frozen, err = newFrozen(l.engine, l.cfg, l.arch, size, l.state, space, l.log); err != nil {
		return err
	}
	if l.frozen != nil {
		l.own(l.frozen)
	}
	if l.supervised, err = newSupervised(l, size); err != nil {
		return err
	}
	l.own(l.supervised)
	if !l.cfg.UsesTarget() || !l.cfg.UsesPseudoLabels() && !l.cfg.UsesProjector() {
		return nil
	}
	if err := l.makeRegions(); err != nil {
		return err
	}
	if l.target, err = newTeacher(l.engine, "teacher/target", l.arch, size, l.state, true, l.cfg.UsesPull(), l.regions); err != nil {
		return err
	}
	l.ownTeacher(l.target)
	return nil
}

// ownTeacher lets Close close t, and t keep what it says where another micro-batch follows.
// Features that the plan of several micro-batches looks at are the host's.
func (l *Learner) ownTeacher(t *teacher) {
	l.own(t)
	l.teachers = append(l.teachers, t)
	if l.micros.mine > 1 || l.spread() && t.features != nil && t.features.Host() == nil {
		t.keep(l.micros.mine)
	}
}

// crops is the shape of a micro-batch.
func (l *Learner) crops() imageBatch {
	return imageBatch{l.cfg.Train.Batch, l.cfg.Data.Crop.Height, l.cfg.Data.Crop.Width}
}

// own lets Close close c.
func (l *Learner) own(c io.Closer) { l.owned = append(l.owned, c) }

// Close frees sessions and memory.
func (l *Learner) Close() error {
	var errs []error
	for _, c := range slices.Backward(l.owned) {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Arch returns the network that is trained.
func (l *Learner) Arch() nets.Arch { return l.arch }

// Student returns a parameter or running statistic of the student by name, as
// [nets.New] asks for it. It may share the state's memory.
func (l *Learner) Student(name string) ([]float32, error) { return l.state.lookup(name) }
