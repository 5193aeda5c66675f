package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Hash identifies what determines what is learned: a checkpoint of another hash
// is not resumed. That includes the roots of the data, model.init,
// translate.folder and translate.model, because what lies there is learned from.
// The run's name and place, how often something is logged, evaluated or saved,
// the runtime (device, threads and kernels included, by which last digits differ),
// how many processes train, what is computed again to the same bits, and sections
// of settings that the method never reads do not enter (single ones may: those of
// InfoNCE stay with MSE, and the target's data with source-only); of the runtime
// only a precision of products that is not float32's.
func (c *Config) Hash() string {
	k := c.written()
	k.Name, k.Output, k.Baseline = "", "", false
	k.Data.Workers, k.Data.Prefetch, k.Data.CacheMB, k.Data.Cache, k.Data.StatsCache = 0, 0, 0, "", ""
	k.Data.FetchedMB = 0
	if !k.SkipsBadFiles() {
		k.Data.OnError = "" // "stop" is what runs do that say nothing of it
	}
	k.Train.EvalEvery, k.Train.CheckpointEvery, k.Train.Keep, k.Train.LogEvery = 0, 0, 0, 0
	k.Train.Recompute = ""
	if k.Train.Accumulate == 1 {
		k.Train.Accumulate = 0 // what runs do that say nothing of it
	}
	// Of the runtime only what rounds on every device. That tf32 is false is what hashes
	// have always been taken of, whatever it was.
	k.Runtime = Runtime{Precision: c.lowPrecision(), CUDA: CUDA{TF32: new(bool)}}
	k.clearUnread()
	text, err := k.encode()
	if err != nil {
		panic(err) // plain structs of strings and numbers encode
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// clearUnread empties the settings that the method never reads, so that a
// comparison does not train source-only again when τ changes, and puts what the
// method's name settles in place of what is configured.
func (c *Config) clearUnread() {
	ce, mix, kind := c.CEDomain(), c.MixDomain(), c.PullKind()
	mixes, pulls, masks := c.UsesMix(), c.UsesPull(), c.UsesMask()
	selects, teaches, adapts := c.UsesSelect(), c.UsesTeacher(), c.Adapts()
	projects, contrasts, pastes, regions := c.UsesProjector(), c.UsesContrast(), c.UsesClassMix(), c.UsesRegions()
	if !c.UsesPseudo() {
		c.Translate = Translate{}
	}
	c.Translate.clearUnreadEngines()
	c.Loss.CEDomain, c.Loss.MixDomain, c.Loss.Pull.Kind = ce, mix, kind
	if !mixes {
		c.Loss.MixWeight = 0
	}
	if !pastes {
		c.Loss.MixDomain = ""
	}
	if !masks {
		c.Loss.Mask = Mask{}
	}
	if !mixes && !masks {
		c.Loss.Quality, c.Loss.Delta = "", 0
	}
	if !mixes && !masks && !selects && !contrasts && !regions && !c.UsesViews() && !c.UsesDenoise() && !c.UsesCluster() {
		c.Loss.IgnoreTop, c.Loss.IgnoreBottom = 0, 0
	}
	if !pulls {
		c.Loss.Pull = Pull{}
	}
	if !projects {
		c.Model.ProjectorWidth, c.Model.ProjectorInput = 0, ""
	}
	if !c.UsesFeatureDistance() {
		c.Loss.FeatureDistance = FeatureDistance{}
	}
	if !(pulls && c.Loss.DRW == "pull" || mixes && c.Loss.DRW == "lt") {
		c.Loss.DRW, c.Loss.DRWBeta = "", 0
	}
	c.clearUnreadFamilies()
	c.clearUnreadModel()
	if !teaches {
		c.Train.EMA = 0
	}
	if !adapts {
		c.Train.AdaptAfter = 0
	}
}

// clearUnreadModel does the same for the network: what is as it is when left out, and
// what the head has no use for.
func (c *Config) clearUnreadModel() {
	m := &c.Model
	if !c.UsesHRDA() {
		m.HRDA = HRDA{}
	}
	if m.Stem == "deep" {
		m.Stem = ""
	}
	if m.EncoderBN == "batch" {
		m.EncoderBN = ""
	}
	if m.EncoderTrain == TrainAll {
		m.EncoderTrain = ""
	}
	if m.EncoderTrain == TrainFrozen {
		m.DropPath, m.EncoderBN = 0, ""
	}
	if m.EncoderTrain == TrainLoRA {
		m.LoRA.Rank, m.LoRA.Alpha = m.LoRA.Resolved()
	} else {
		m.LoRA = LoRA{}
	}
	if m.Head == "linear" {
		m.HeadWidth = 0 // there is no layer inside
	}
	if m.Head == "deeplabv2" {
		m.HeadWidth = 0 // likewise
		if slices.Equal(m.Dilations, []int{6, 12}) {
			m.Dilations = nil
		}
	}
}
