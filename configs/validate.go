package configs

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// maxSide bounds images in px: a limit of good sense that keeps products of sizes
// far from overflow.
const maxSide = 1 << 16

// Validate checks every value and returns all faults joined, each as
// "field: what is wrong".
func (c *Config) Validate() error {
	var errs []error
	for _, f := range c.faults() {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}

// fault is what is wrong with a field.
type fault struct {
	field string
	error
}

func (f fault) Error() string { return f.field + ": " + f.error.Error() }

func (f fault) Unwrap() error { return f.error }

// faults lists what is wrong.
func (c *Config) faults() []fault {
	v := &validator{}
	v.numbers(reflect.ValueOf(c).Elem())
	if _, err := methodOf(c.Method); err != nil {
		v.check("method", false, "%w, have %q", err, c.Method)
	}
	v.check("name", isFileName(c.Name), "want the name of a folder, without slashes, have %q", c.Name)
	v.check("output", c.Output != "", "is empty")
	c.validateData(v)
	c.validateSuffixes(v)
	c.validatePaths(v)
	c.validateModel(v)
	c.validateTranslate(v)
	c.validateLoss(v)
	c.validateTrain(v)
	c.validateRuntime(v)
	c.validateSizes(v)
	return v.faults
}

func (c *Config) validateData(v *validator) {
	d := &c.Data
	if !c.LabelsTarget() {
		v.check("data.source.root", d.Source.Root != "", "is empty: give the folder of the labelled images")
	}
	v.check("data.eval.root", d.Eval.Root != "", "is empty: give the folder of the labelled target images for evaluation")
	if c.UsesTarget() || c.LabelsTarget() {
		v.check("data.target.root", d.Target.Root != "", "is empty: method %s needs target images", c.Method)
	}
	v.check("data.crop", d.Crop.Width >= 32 && d.Crop.Height >= 32, "want at least 32×32, have %d×%d", d.Crop.Width, d.Crop.Height)
	v.check("data.crop", max(d.Crop.Width, d.Crop.Height) <= maxSide, "want at most %d×%[1]d, have %d×%d", maxSide, d.Crop.Width, d.Crop.Height)
	v.between("data.cat_max_ratio", d.CatMaxRatio, 0.01, 1)
	v.between("data.augment", d.Augment, 0, 5)
	if d.RCS.Enabled {
		v.check("data.rcs.temperature", d.RCS.Temperature > 0, "want > 0, have %g", d.RCS.Temperature)
		v.atLeast("data.rcs.min_pixels", d.RCS.MinPixels, 1)
		v.check("data.rcs.min_crop_ratio", d.RCS.MinCropRatio >= 0, "want ≥ 0, have %g", d.RCS.MinCropRatio)
	}
	v.atLeast("data.workers", d.Workers, 1)
	v.atLeast("data.prefetch", d.Prefetch, 1)
	v.atLeast("data.cache_mb", d.CacheMB, 0)
	v.atLeast("data.fetched_mb", d.FetchedMB, 0)
	if d.OnError != "" {
		v.oneOf("data.on_error", d.OnError, OnErrorStop, OnErrorSkip)
	}
	v.resize("data.source.resize", d.Source.Resize)
	v.resize("data.target.resize", d.Target.Resize)
	v.resize("data.eval.resize", d.Eval.Resize)
	if d.Streets.Enabled {
		v.check("data.streets.domains", len(d.Streets.Domains) > 0, "is empty: want game, camera or both")
		for _, domain := range d.Streets.Domains {
			v.oneOf("data.streets.domains", domain, "game", "camera")
		}
		v.atLeast("data.streets.train", d.Streets.Train, 1)
		v.atLeast("data.streets.val", d.Streets.Val, 1)
		v.check("data.streets.size", d.Streets.Size.Width >= 64 && d.Streets.Size.Height >= 32,
			"want at least 64×32, have %d×%d", d.Streets.Size.Width, d.Streets.Size.Height)
	}
}

func (c *Config) validateModel(v *validator) {
	m := &c.Model
	v.atLeast("model.head_width", m.HeadWidth, 1)
	v.atLeast("model.projector_width", m.ProjectorWidth, 1)
	v.oneOf("model.projector_input", m.ProjectorInput, "concat", "last")
	v.between("model.drop_path", m.DropPath, 0, 0.99)
	v.between("model.dropout", m.Dropout, 0, 0.99)
	if m.Stem != "" {
		v.oneOf("model.stem", m.Stem, "deep", "plain")
	}
	if m.EncoderBN != "" {
		v.oneOf("model.encoder_bn", m.EncoderBN, "batch", "frozen")
	}
	if m.EncoderTrain != "" {
		v.oneOf("model.encoder_train", m.EncoderTrain, TrainAll, TrainFrozen, TrainLoRA)
	}
	if m.EncoderTrain == TrainFrozen || m.EncoderTrain == TrainLoRA {
		v.check("model.init", m.Init != "", "is empty: with encoder_train %s the encoder's own weights are not trained and would stay random: give weights", m.EncoderTrain)
	}
	v.check("model.lora.rank", m.LoRA.Rank >= 0 && m.LoRA.Rank <= 1024, "want 1 to 1024, or 0 for 16, have %d", m.LoRA.Rank)
	v.check("model.lora.alpha", m.LoRA.Alpha >= 0, "want more than 0, or 0 for the rank, have %g", m.LoRA.Alpha)
	c.validateHRDA(v)
	for _, d := range m.Dilations {
		v.check("model.dilations", d >= 1 && d <= maxSide, "want numbers from 1 up, have %v", m.Dilations)
	}
}

func (c *Config) validateHRDA(v *validator) {
	h, crop := &c.Model.HRDA, c.Data.Crop
	v.between("model.hrda.weight", h.Weight, 0, 1)
	v.atLeast("model.hrda.attention", h.Attention, 1)
	v.resize("model.hrda.detail", h.Detail)
	if c.UsesHRDA() {
		v.check("model.hrda.detail", h.Detail.Width <= crop.Width && h.Detail.Height <= crop.Height,
			"%d×%d px is larger than data.crop of %d×%d: a detail is a part of it, half in each direction as published",
			h.Detail.Width, h.Detail.Height, crop.Width, crop.Height)
	}
}

func (c *Config) validateTranslate(v *validator) {
	if err := c.Translate.Engine.validate(); err != nil {
		v.faults = append(v.faults, fault{enginesKey, err})
	}
	t := &c.Translate
	v.check("translate.band", t.Band >= 0 && t.Band < 0.5, "want 0 to less than 0.5, have %g", t.Band)
	if t.Box != "" {
		v.oneOf("translate.box", t.Box, "min", "axes")
	}
	if t.Range != "" {
		v.oneOf("translate.range", t.Range, ranges...)
	}
	if t.AdaIN.Range != "" {
		v.oneOf("translate.adain.range", t.AdaIN.Range, ranges...)
	}
	if c.UsesPseudo() {
		v.check("translate.folder", t.Folder != "" || !t.Engine.Use("folder"), "is empty: engine folder needs the folder of the translated images")
		v.check("translate.model", t.Model != "" || !t.Engine.Use("onnx"), "is empty: engine onnx needs a model file")
		v.check("translate.adain.model", t.AdaIN.Model != "" || !t.Engine.Use("adain"), "is empty: engine adain needs a model file")
	}
	v.validateWeather(t.Weather)
	k := &c.Translate.Camera
	v.between("translate.camera.exposure", k.Exposure, 0, 4)
	v.between("translate.camera.cast", k.Cast, 0, 128)
	v.between("translate.camera.strength", k.Strength, 0, 1)
	v.atLeast("translate.camera.images", k.Images, 0)
}

func (c *Config) validateLoss(v *validator) {
	l := &c.Loss
	v.oneOf("loss.ce_domain", l.CEDomain, DomainSource, DomainPseudo, DomainBoth)
	v.oneOf("loss.mix_domain", l.MixDomain, DomainSource, DomainPseudo)
	v.finite("loss.mix_weight", l.MixWeight)
	v.oneOf("loss.ce_denominator", l.CEDenominator, "all", "valid")
	v.oneOf("loss.quality", l.Quality, "image", "batch")
	v.between("loss.delta", l.Delta, 0, 1)
	v.between("loss.ignore_top", l.IgnoreTop, 0, 1)
	v.between("loss.ignore_bottom", l.IgnoreBottom, 0, 1)
	v.check("loss.ignore_bottom", l.IgnoreTop+l.IgnoreBottom < 1, "leaves no row: with ignore_top it sums to %g", l.IgnoreTop+l.IgnoreBottom)
	v.oneOf("loss.drw", l.DRW, "none", "lt", "pull")
	v.check("loss.drw_beta", l.DRWBeta >= 0, "want ≥ 0, have %g", l.DRWBeta)
	c.validateMask(v)
	v.validatePull(&l.Pull)
	v.validateFeatureDistance(&l.FeatureDistance)
	c.validateFamilies(v)
	c.validateGeneralisation(v)
}

func (c *Config) validateMask(v *validator) {
	m, size := &c.Loss.Mask, c.Data.Crop
	v.finite("loss.mask.weight", m.Weight)
	v.check("loss.mask.ratio", m.Ratio >= 0 && m.Ratio < 1, "want 0 to less than 1, have %g", m.Ratio)
	v.atLeast("loss.mask.block", m.Block, 1)
	if !slices.Contains(c.method().terms, TermMask) {
		return
	}
	v.check("loss.mask.block", m.Block <= min(size.Width, size.Height),
		"a block of %d×%[1]d px is larger than the crop of %d×%d: want a fraction of its side", m.Block, size.Width, size.Height)
}

func (v *validator) validatePull(p *Pull) {
	v.check("loss.pull.weight", p.Weight >= 0, "want ≥ 0, have %g", p.Weight)
	v.oneOf("loss.pull.kind", p.Kind, "infonce", "mse")
	v.oneOf("loss.pull.mean", p.Mean, "class", "pair")
	v.check("loss.pull.tau", p.Tau > 0, "want > 0, have %g", p.Tau)
	v.atLeast("loss.pull.queries", p.Queries, 1)
	v.atLeast("loss.pull.negatives", p.Negatives, 2)
	v.atLeast("loss.pull.block", p.Block, 1)
	v.between("loss.pull.alpha", p.Alpha, 0, 100)
	v.oneOf("loss.pull.query_domain", p.QueryDomain, DomainSource, DomainPseudo, DomainTarget)
	v.oneOf("loss.pull.key_domain", p.KeyDomain, DomainSource, DomainPseudo, DomainTarget)
	v.oneOf("loss.pull.grid_labels", p.GridLabels, "nearest", "majority")
}

func (v *validator) validateFeatureDistance(f *FeatureDistance) {
	v.finite("loss.feature_distance.weight", f.Weight)
	v.check("loss.feature_distance.ratio", f.Ratio > 0 && f.Ratio <= 1, "want more than 0, at most 1, have %g", f.Ratio)
	v.check("loss.feature_distance.classes", f.Weight == 0 || len(f.Classes) > 0, "is empty: name the classes that are things, or set the weight to 0")
}

func (c *Config) validateTrain(v *validator) {
	t := &c.Train
	v.atLeast("train.iterations", t.Iterations, 1)
	before := 0
	for _, end := range t.Extended {
		v.check("train.extended", end > before && end < t.Iterations, "want numbers of iterations, ascending and below train.iterations, have %v", t.Extended)
		before = end
	}
	v.atLeast("train.batch", t.Batch, 1)
	v.atLeast("train.accumulate", t.Accumulate, 0)
	if err := c.checkWhole(); err != nil {
		v.check("train.accumulate", false, "%w", err)
	}
	v.check("train.lr", t.LR > 0, "want > 0, have %g", t.LR)
	v.check("train.head_lr_factor", t.HeadLRFactor > 0, "want > 0, have %g", t.HeadLRFactor)
	v.between("train.beta1", t.Beta1, 0, 0.999999)
	v.between("train.beta2", t.Beta2, 0, 0.999999)
	v.check("train.epsilon", t.Epsilon > 0, "want > 0, have %g", t.Epsilon)
	v.check("train.weight_decay", t.WeightDecay >= 0, "want ≥ 0, have %g", t.WeightDecay)
	v.check("train.clip_norm", t.ClipNorm >= 0, "want ≥ 0, have %g", t.ClipNorm)
	v.atLeast("train.warmup", t.Warmup, 0)
	v.check("train.adapt_after", t.AdaptAfter >= 0 && t.AdaptAfter < 1, "want 0 to less than 1, have %g", t.AdaptAfter)
	v.between("train.warmup_ratio", t.WarmupRatio, 0, 1)
	v.check("train.power", t.Power >= 0, "want ≥ 0, have %g", t.Power)
	v.between("train.ema", t.EMA, 0, 1)
	v.between("train.bn_momentum", t.BNMomentum, 0, 1)
	if t.Recompute != "" {
		v.oneOf("train.recompute", t.Recompute, RecomputeNone, RecomputeBlocks)
	}
	v.atLeast("train.eval_every", t.EvalEvery, 0)
	v.atLeast("train.checkpoint_every", t.CheckpointEvery, 0)
	v.atLeast("train.keep", t.Keep, 1)
	v.atLeast("train.log_every", t.LogEvery, 1)
}

var device = regexp.MustCompile(`^(cpu|auto|cuda(:[0-9]+)?)$`)

func (c *Config) validateRuntime(v *validator) {
	r := &c.Runtime
	v.check("runtime.device", device.MatchString(r.Device), "want cpu, cuda, cuda:N or auto, have %q", r.Device)
	v.atLeast("runtime.threads", r.Threads, 0)
	v.oneOf("runtime.state", r.State, "host", "device")
	v.oneOf("runtime.kernels", r.Kernels, KernelsFast, KernelsExact, KernelsStock)
	c.validatePrecision(v)
	if r.Exchange != "" {
		v.oneOf("runtime.exchange", r.Exchange, ExchangeAuto, ExchangeMPI, ExchangeNCCL)
	}
	v.oneOf("runtime.cuda.conv_algo_search", r.CUDA.ConvAlgoSearch, "EXHAUSTIVE", "HEURISTIC", "DEFAULT")
	v.oneOf("runtime.cuda.arena_extend_strategy", r.CUDA.ArenaExtendStrategy, "kNextPowerOfTwo", "kSameAsRequested")
	v.check("runtime.cuda.memory_limit_mb", r.CUDA.MemoryLimitMB >= 0, "want ≥ 0, have %d", r.CUDA.MemoryLimitMB)
	v.check("runtime.cuda.graph", !r.CUDA.Graph || r.State == "device", "what is captured reads the state on the device: set runtime.state=device, too")
	v.check("runtime.cuda.graph", !r.CUDA.Graph || !r.CUDA.SharedArena, "what is captured keeps an arena of its own: set runtime.cuda.shared_arena=false")
}

// validateSizes refuses numbers of which the products that memory is asked for would not
// fit an integer: far more than any machine holds. Running out of memory below them is
// told when it happens.
func (c *Config) validateSizes(v *validator) {
	const (
		channels = 1 << 16
		many     = 1 << 12
		points   = 1 << 20
	)
	v.atMost("model.head_width", c.Model.HeadWidth, channels)
	v.atMost("model.projector_width", c.Model.ProjectorWidth, channels)
	v.atMost("model.hrda.attention", c.Model.HRDA.Attention, channels)
	v.atMost("loss.pull.queries", c.Loss.Pull.Queries, points)
	v.atMost("loss.pull.negatives", c.Loss.Pull.Negatives, points)
	v.atMost("loss.pull.block", c.Loss.Pull.Block, points)
	v.atMost("train.batch", c.Train.Batch, many)
	v.atMost("train.accumulate", c.Train.Accumulate, many)
	v.atMost("data.workers", c.Data.Workers, many)
	v.atMost("data.prefetch", c.Data.Prefetch, many)
	v.atMost("runtime.threads", c.Runtime.Threads, many)
}

// isFileName reports whether a folder of that name can be made in another one.
func isFileName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, `/\`) && !strings.ContainsFunc(name, unicode.IsControl)
}

// validator collects faults.
type validator struct{ faults []fault }

// numbers refuses what is no number or too large for any use, once for all
// fields; their own checks say the rest.
func (v *validator) numbers(config reflect.Value) {
	const most = 1 << 40
	walk(config, "", func(key string, field reflect.Value) {
		switch field.Kind() {
		case reflect.Float64:
			x := field.Float()
			v.check(key, x-x == 0, "want a finite number, have %g", x)
		case reflect.Int, reflect.Int64:
			n := field.Int()
			v.check(key, n <= most, "want at most %d, have %d", int64(most), n)
		}
	})
}

func (v *validator) check(field string, ok bool, format string, args ...any) {
	if !ok {
		v.faults = append(v.faults, fault{field, fmt.Errorf(format, args...)})
	}
}

func (v *validator) oneOf(field, have string, want ...string) {
	v.check(field, slices.Contains(want, have), "want one of %s, have %q", strings.Join(want, ", "), have)
}

func (v *validator) atLeast(field string, have, least int) {
	v.check(field, have >= least, "want at least %d, have %d", least, have)
}

func (v *validator) atMost(field string, have, most int) {
	v.check(field, have <= most, "want at most %d, have %d", most, have)
}

// finite wants a number from 0 up that is neither NaN nor infinite.
func (v *validator) finite(field string, have float64) {
	v.check(field, have >= 0 && !math.IsInf(have, 1), "want a number from 0 up, have %g", have)
}

// between also rejects NaN.
func (v *validator) between(field string, have, low, high float64) {
	v.check(field, have >= low && have <= high, "want %g to %g, have %g", low, high, have)
}

func (v *validator) resize(field string, s Size) {
	v.check(field, (s.Width == 0) == (s.Height == 0) && s.Width >= 0 && s.Height >= 0,
		"want two positive numbers or 0×0, have %d×%d", s.Width, s.Height)
	v.check(field, max(s.Width, s.Height) <= maxSide, "want at most %d×%[1]d, have %d×%d", maxSide, s.Width, s.Height)
}
