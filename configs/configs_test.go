package configs

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPresetsAreValid(t *testing.T) {
	for _, name := range []string{"CAMVID_ROOT", "GTA5_ROOT", "SYNTHIA_ROOT", "CITYSCAPES_ROOT", "STYLES_ROOT", "STYLE_TRANSFER_ONNX", "ADAIN_ONNX"} {
		t.Setenv(name, "x")
	}
	for _, name := range Presets() {
		if _, err := Load(name, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDefaultNeedsOnlyRoots(t *testing.T) {
	cfg := Default()
	cfg.Data.Source.Root, cfg.Data.Target.Root, cfg.Data.Eval.Root = "s", "t", "e"
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestOracleNeedsNoSource(t *testing.T) {
	cfg := Default()
	cfg.Method, cfg.Data.Target.Root, cfg.Data.Eval.Root = TargetOnly, "t", "e"
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestYAMLRoundTrip(t *testing.T) {
	want, err := Load("streets", []string{"seed=7", "data.source.include=[a*, b*]"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := want.YAML()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "run.yaml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Hash(), got.Hash()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a*", "b*"}, got.Data.Source.Include); diff != "" {
		t.Error(diff)
	}
}

func TestExtendsAndSettings(t *testing.T) {
	path := write(t, "mine.yaml", "extends: streets\nseed: 5\ntrain: {iterations: 9}\n")
	cfg, err := Load(path, []string{"train.lr=3e-4", "method=self-training"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Seed != 5 || cfg.Train.Iterations != 9 || cfg.Train.LR != 3e-4 || cfg.Method != SelfTraining || cfg.Model.Encoder != "mit_nano" {
		t.Errorf("have %+v", cfg)
	}
}

func TestEnvironment(t *testing.T) {
	path := write(t, "c.yaml", "extends: streets\ndata: {cache: \"${T2SDA_TEST_ROOT}/c\", eval: {root: \"${T2SDA_TEST_ROOT}/val\"}}\n")
	_, err := Load(path, nil)
	if err == nil || !strings.Contains(err.Error(), "data.cache, data.eval.root: environment variable T2SDA_TEST_ROOT is not set") {
		t.Errorf("have %v", err)
	}
	t.Setenv("T2SDA_TEST_ROOT", "/d")
	cfg, err := Load(path, nil)
	if err != nil || cfg.Data.Eval.Root != "/d/val" || cfg.Data.Cache != "/d/c" {
		t.Errorf("have %q, %v", cfg.Data.Eval.Root, err)
	}
}

// All variables that are missing are named at once, and only those of paths
// that the method reads.
func TestMissingRoots(t *testing.T) {
	for _, name := range []string{"GTA5_ROOT", "CITYSCAPES_ROOT"} {
		t.Setenv(name, "") // restores it after the test
		os.Unsetenv(name)
	}
	_, err := Load("gta5-cityscapes", nil)
	want := "configuration gta5-cityscapes: " +
		"data.eval.root, data.target.root: environment variable CITYSCAPES_ROOT is not set, or empty (set it, or data.eval.root=… data.target.root=…); " +
		"data.source.root: environment variable GTA5_ROOT is not set, or empty (set it, or data.source.root=…)"
	if err == nil || err.Error() != want {
		t.Errorf("have %v\nwant %s", err, want)
	}
	os.Setenv("CITYSCAPES_ROOT", "/c")
	if _, err := Load("gta5-cityscapes", []string{"method=target-only"}); err != nil {
		t.Errorf("the oracle needs no source: %v", err)
	}
	os.Unsetenv("CITYSCAPES_ROOT")
	os.Setenv("GTA5_ROOT", "/g")
	_, err = Load("gta5-cityscapes", []string{"method=source-only", "loss.drw=none"})
	if err == nil || strings.Contains(err.Error(), "data.target.root") {
		t.Errorf("source-only reads no target: %v", err)
	}
	os.Setenv("CITYSCAPES_ROOT", "")
	_, err = Load("gta5-cityscapes", nil)
	if err == nil || !strings.Contains(err.Error(), "CITYSCAPES_ROOT is not set, or empty") {
		t.Errorf("an empty variable: %v", err)
	}
}

// The presets for the paper's data sets have the paper's numbers (Wang et al.,
// and DAFormer's recipe, which it builds on).
func TestPaperPresets(t *testing.T) {
	for _, name := range []string{"GTA5_ROOT", "SYNTHIA_ROOT", "CITYSCAPES_ROOT"} {
		t.Setenv(name, "/"+name)
	}
	for name, source := range map[string]Dataset{
		"gta5-cityscapes":    {Layout: "gta5", Root: "/GTA5_ROOT", Resize: Size{1280, 720}},
		"synthia-cityscapes": {Layout: "synthia", Root: "/SYNTHIA_ROOT", Resize: Size{1280, 760}},
	} {
		cnn, err := Load(name+"-r101", nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Load(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		cityscapes := Dataset{Layout: "cityscapes", Root: "/CITYSCAPES_ROOT", Resize: Size{1024, 512}}
		train, val := cityscapes, cityscapes
		train.Split, val.Split = "train", "val"
		want := Default()
		want.Name, want.Method = name, T2S
		want.Data.Source, want.Data.Target, want.Data.Eval = source, train, val
		want.Data.Crop, want.Data.Workers, want.Data.Prefetch = Size{512, 512}, 4, 8
		want.Data.RCS = RCS{Enabled: true, Temperature: 0.01, MinPixels: 3000, MinCropRatio: 0.5}
		want.Data.Flip, want.Data.CatMaxRatio = true, 0.75
		want.Model.Encoder, want.Model.Head = "mit_b5", "daformer"
		want.Translate.Engine, want.Translate.Band = Engines{"fda": 1}, 0.01
		want.Loss.Delta, want.Loss.DRW, want.Loss.DRWBeta = 0.968, "pull", 0.5
		want.Loss.IgnoreTop, want.Loss.IgnoreBottom = 15.0/512, 120.0/512
		want.Loss.Pull.Weight, want.Loss.Pull.Kind, want.Loss.Pull.Tau, want.Loss.Pull.Alpha = 0.1, "infonce", 0.2, 50
		want.Loss.FeatureDistance.Weight, want.Loss.FeatureDistance.Ratio = 0.005, 0.75
		want.Train.Iterations, want.Train.Batch, want.Train.EMA = 40000, 2, 0.999
		want.Train.LR, want.Train.HeadLRFactor, want.Train.WeightDecay = 6e-5, 10, 0.01
		want.Train.Warmup, want.Train.WarmupRatio, want.Train.Power = 1500, 1e-6, 1
		if diff := cmp.Diff(want, c, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Config{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		// The paper's CNN differs in the network alone.
		want.Name, want.Model.Encoder, want.Model.Head = name+"-r101", "resnet101", "deeplabv2"
		want.Model.Dilations, want.Model.ProjectorInput, want.Model.DropPath, want.Model.Dropout = []int{6, 12}, "last", 0, 0
		if diff := cmp.Diff(want, cnn, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Config{})); diff != "" {
			t.Errorf("%s-r101: %s", name, diff)
		}
	}
}

// The presets of HRDA and MIC have their public configurations' numbers (Hoyer et al., 2022
// and 2023), and the paper's for all else.
func TestHRDAPresets(t *testing.T) {
	for _, name := range []string{"GTA5_ROOT", "SYNTHIA_ROOT", "CITYSCAPES_ROOT"} {
		t.Setenv(name, "/"+name)
	}
	for name, source := range map[string]Size{"gta5-cityscapes": {2560, 1440}, "synthia-cityscapes": {2560, 1520}} {
		want, err := Load(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		want.Name = name + "-hrda"
		want.Data.Source.Resize = source
		want.Data.Target.Resize, want.Data.Eval.Resize = Size{2048, 1024}, Size{2048, 1024}
		want.Data.Crop = Size{1024, 1024}
		want.Model.HRDA = HRDA{Detail: Size{512, 512}, Weight: 0.1, Attention: 256}
		hrda, err := Load(want.Name, nil)
		if diff := cmp.Diff(want, hrda, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Config{})); diff != "" || err != nil {
			t.Errorf("%s: %v", diff, err)
		}
		want.Name, want.Method, want.Loss.Mask = name+"-mic", "t2s+mask", Mask{Weight: 1, Block: 64, Ratio: 0.7}
		mic, err := Load(want.Name, nil)
		if diff := cmp.Diff(want, mic, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Config{})); diff != "" || err != nil {
			t.Errorf("%s: %v", diff, err)
		}
	}
}

// The presets from DINOv2 have VFM-UDA's numbers (Englert et al., 2024), and the paper's
// for all that it does not speak of.
func TestDINOv2Presets(t *testing.T) {
	for _, name := range []string{"GTA5_ROOT", "SYNTHIA_ROOT", "CITYSCAPES_ROOT"} {
		t.Setenv(name, "/"+name)
	}
	for _, name := range []string{"gta5-cityscapes", "synthia-cityscapes"} {
		want, err := Load(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Load(name+"-dinov2", nil)
		if err != nil {
			t.Fatal(err)
		}
		want.Name = name + "-dinov2"
		want.Data.RCS.Temperature, want.Data.Augment = 0.05, 1
		want.Model.Encoder, want.Model.Head, want.Model.ProjectorInput = "dinov2_vitl14", "segformer", "last"
		want.Model.DropPath, want.Model.Dropout = 0, 0
		want.Loss.CEDenominator, want.Loss.Quality, want.Loss.IgnoreTop, want.Loss.IgnoreBottom = "valid", "batch", 0.03, 0.25
		want.Loss.FeatureDistance.Weight = 0
		want.Train.WarmupRatio = 1e-3
		if got, rule := c.Train.LR, 0.1*5e-5*math.Sqrt(float64(c.Train.Batch)); math.Abs(got-rule) > 1e-3*rule {
			t.Errorf("%s: step size %g, VFM-UDA's is %g", c.Name, got, rule)
		}
		want.Train.LR = c.Train.LR
		if diff := cmp.Diff(want, c, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Config{})); diff != "" {
			t.Errorf("%s: %s", c.Name, diff)
		}
	}
}

// TestHash: what changes the course of training changes the hash, nothing else.
func TestHash(t *testing.T) {
	base := Default()
	same, other := base, base
	same.Name, same.Train.EvalEvery, same.Runtime.Threads, same.Data.Workers, same.Data.Cache = "x", 1, 1, 9, "/c"
	same.Data.FetchedMB = 100
	same.Data.StatsCache, same.Data.OnError, same.Train.Recompute = "/s", OnErrorStop, RecomputeBlocks
	same.Train.Accumulate, same.Runtime.Exchange = 1, ExchangeNCCL
	other.Loss.Pull.Tau = 0.1
	if base.Hash() != same.Hash() {
		t.Error("a name changed the hash")
	}
	if base.Hash() == other.Hash() {
		t.Error("a temperature did not change the hash")
	}
	other = base
	if other.Train.Accumulate = 2; base.Hash() == other.Hash() {
		t.Error("a larger batch did not change the hash")
	}
	skipping := base
	skipping.Data.OnError = OnErrorSkip
	if base.Hash() == skipping.Hash() {
		t.Error("what follows a bad file did not change the hash")
	}
	if text, err := base.YAML(); err != nil || slices.ContainsFunc([]string{"on_error", "stats_cache", "fetched_mb", "stem", "encoder_bn", "dilations", "encoder_train", "lora", "recompute:", "accumulate", "exchange", "styles", "adain", "weather", "hrda:", "mask:", "entropy:", "adversarial:", "select:", "contrast:"}, func(key string) bool { return strings.Contains(string(text), key) }) {
		t.Errorf("settings that are newer than hashes are written (%v)", err)
	}
}

// TestMethodOfTerms: terms joined by + are a method of these alone, as configured.
func TestMethodOfTerms(t *testing.T) {
	c := Default()
	c.Loss.CEDomain = DomainBoth
	for name, trained := range map[Method][]string{"source": {TermSource}, "source+mix": {TermSource, TermMix}, "source+pull": {TermSource, TermPull}, "source+pull+mix+mask": {TermSource, TermPull, TermMix, TermMask}, "source+entropy": {TermSource, TermEntropy}} {
		c.Method = name
		if _, err := methodOf(name); err != nil || c.LabelsTarget() || !c.UsesTarget() || c.CEDomain() != DomainBoth {
			t.Errorf("%s: %v", name, err)
		}
		for _, term := range Terms() {
			if got := c.Trains(term); got != slices.Contains(trained, term) {
				t.Errorf("%s trains %s: %t", name, term, got)
			}
		}
		if got := name.Sentence(); !strings.Contains(got, strings.Join(trained, ", ")) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for text, want := range map[string]Method{"method: {terms: [source, mix]}": "source+mix", "method:\n  terms: [source]": "source", "method: {terms: source}": "source", "method: source+pull": "source+pull"} {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte("extends: streets\n"+text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if c, err := Load(path, nil); err != nil || c.Method != want {
			t.Errorf("%s: method %q, %v", text, c.Method, err)
		}
	}
	for _, name := range []Method{"", "+", "mix", "pull+source", "source+source", "source+", "source+other", "t2s+mix", "t2s+", "+t2s", "t2s+mask+mask", "mask+t2s", "t2s+generalise"} {
		if _, err := methodOf(name); err == nil {
			t.Errorf("%q is a method", name)
		}
	}
}

// TestMethodWithTerms: a method's name settles what it settles, whatever terms follow it.
func TestMethodWithTerms(t *testing.T) {
	for name, base := range map[Method]Method{"t2s+mask": T2S, "self-training+translated+mask": SelfTrainingTranslated, "self-training+mask": SelfTraining, "t2s-mse+mask": T2SMSE} {
		c, plain := Default(), Default()
		c.Method, plain.Method = name, base
		if !c.UsesMask() || plain.UsesMask() || !c.UsesTeacher() || c.UsesMix() != plain.UsesMix() || c.UsesPull() != plain.UsesPull() ||
			c.CEDomain() != plain.CEDomain() || c.MixDomain() != plain.MixDomain() || c.PullKind() != plain.PullKind() || c.UsesPseudo() != plain.UsesPseudo() {
			t.Errorf("%s is not %s with a term more", name, base)
		}
		if want := base.Sentence() + "; with mask in the loss"; name.Sentence() != want {
			t.Errorf("%s: %s", name, name.Sentence())
		}
		if c.Loss.Mask.Weight = 0; c.UsesMask() {
			t.Errorf("%s: masks of weight 0", name)
		}
	}
}

// TestHashOfUnreadSettings: a setting enters the hash of the methods that read
// it, and of no other.
func TestHashOfUnreadSettings(t *testing.T) {
	all := append(Methods(), "source+mask", "t2s+mask")
	pulls := []string{T2SMSE, T2S, Generalise, "t2s+mask"}
	mixes := []string{SelfTraining, SelfTrainingTranslated, T2SMSE, T2S, "t2s+mask", SePiCo, CAG, RCCR}
	masks := []string{"source+mask", "t2s+mask"}
	labels := append([]string{"source+mask"}, mixes...)
	teaches := append([]string{Generalise}, labels...)
	selects := []string{CBST, CRST, IAST, SAC, ProDA, CPSL}
	teaches = append(teaches, selects...)
	adapts := append([]string{MinEnt, AdaptSegNet, AdvEnt, FADA, PLCA}, teaches...)
	translates := []string{Translated, SelfTrainingTranslated, T2SMSE, T2S, Generalise, "t2s+mask"}
	for _, s := range []struct {
		name    string
		set     func(c *Config)
		readers []string
	}{
		{"τ", func(c *Config) { c.Loss.Pull.Tau++ }, pulls},
		{"projector", func(c *Config) { c.Model.ProjectorWidth++ }, append([]string{SePiCo, CAG, RCCR}, pulls...)},
		{"the pull's kind", func(c *Config) { c.Loss.Pull.Kind = "mse" }, []string{T2S, Generalise, "t2s+mask"}},
		{"FDA's band", func(c *Config) { c.Translate.Band++ }, translates},
		{"L_S's domain", func(c *Config) { c.Loss.CEDomain = DomainBoth }, []string{T2SMSE, T2S, Generalise, "source+mask", "t2s+mask"}},
		{"L_T's domain", func(c *Config) { c.Loss.MixDomain = DomainPseudo }, []string{SelfTrainingTranslated, T2SMSE, T2S, "t2s+mask"}},
		{"L_T's weight", func(c *Config) { c.Loss.MixWeight = 0.5 }, mixes},
		{"blocks", func(c *Config) { c.Loss.Mask.Block *= 2 }, masks},
		{"L_M's weight", func(c *Config) { c.Loss.Mask.Weight *= 2 }, masks},
		{"δ", func(c *Config) { c.Loss.Delta = 0.5 }, labels},
		{"DRW's β", func(c *Config) { c.Loss.DRWBeta = 0.7 }, pulls},
		{"EMA", func(c *Config) { c.Train.EMA = 0.5 }, teaches},
		{"adapt_after", func(c *Config) { c.Train.AdaptAfter = 0.5 }, adapts},
		{"feature distance", func(c *Config) { c.Loss.FeatureDistance.Weight = 0.005 }, adapts},
		{"λ_ent", func(c *Config) { c.Loss.Entropy.Weight++ }, []string{MinEnt}},
		{"τ of prototypes", func(c *Config) { c.Loss.Contrast.Tau /= 2 }, []string{SePiCo}},
		{"confidence of anchored pixels", func(c *Config) { c.Loss.Contrast.Confidence /= 2 }, []string{CAG}},
		{"kind of contrast", func(c *Config) { c.Loss.Contrast.Kind = ContrastMSE }, nil},
		{"τ of regions", func(c *Config) { c.Loss.Regions.Tau /= 2 }, []string{RCCR}},
		{"remembered regions", func(c *Config) { c.Loss.Regions.Memory = 0 }, []string{RCCR}},
		{"negatives of regions", func(c *Config) { c.Loss.Regions.Negatives = NegativesWithin }, []string{RCCR}},
		{"views", func(c *Config) { c.Loss.Views.Views++ }, []string{SAC}},
		{"prototypes' distance", func(c *Config) { c.Loss.Denoise.Temperature++ }, []string{ProDA}},
		{"rounds", func(c *Config) { c.Train.Rounds = 3 }, []string{CBST, CRST, IAST, ProDA, CPSL}},
		{"stride of cycles", func(c *Config) { c.Loss.Associate.Stride *= 2 }, []string{PLCA}},
		{"remembered positions", func(c *Config) { c.Loss.Cluster.Memory *= 2 }, []string{CPSL}},
		{"portions", func(c *Config) { c.Loss.Select.Portion /= 2 }, []string{CBST, CRST}},
		{"α", func(c *Config) { c.Loss.Select.Alpha /= 2 }, []string{IAST}},
		{"smoothing", func(c *Config) { c.Loss.Select.Smooth /= 2 }, []string{CRST, IAST}},
		{"rule", func(c *Config) { c.Loss.Select.Rule = RuleIAST }, nil},
		{"rims", func(c *Config) { c.Loss.IgnoreTop = 0.1 }, append(selects, labels...)},
		{"the discriminator's rate", func(c *Config) { c.Loss.Adversarial.LR++ }, []string{AdaptSegNet, AdvEnt}},
		{"what it sees", func(c *Config) { c.Loss.Adversarial.Input = SeesEntropy }, nil},
		{"the class discriminator's soft labels", func(c *Config) { c.Loss.ClassAdversarial.Temperature++ }, []string{FADA}},
		{"denominator", func(c *Config) { c.Loss.CEDenominator = "valid" }, all},
		{"initial weights", func(c *Config) { c.Model.Init = "a" }, all},
		{"stem", func(c *Config) { c.Model.Stem = "plain" }, all},
		{"batch norm", func(c *Config) { c.Model.EncoderBN = "frozen" }, all},
		{"dilations", func(c *Config) { c.Model.Dilations = []int{6, 12, 18, 24} }, all},
		{"a frozen encoder", func(c *Config) { c.Model.EncoderTrain = TrainFrozen }, all},
		{"adapters", func(c *Config) { c.Model.EncoderTrain = TrainLoRA }, all},
		{"rank without adapters", func(c *Config) { c.Model.LoRA.Rank = 8 }, nil},
		{"details", func(c *Config) { c.Model.HRDA.Detail = Size{256, 256} }, all},
		{"λ_d without details", func(c *Config) { c.Model.HRDA.Weight = 0.5 }, nil},
		{"attention without details", func(c *Config) { c.Model.HRDA.Attention = 64 }, nil},
		{"evaluation data", func(c *Config) { c.Data.Eval.Root = "a" }, all},
		{"step size", func(c *Config) { c.Train.LR *= 2 }, all},
	} {
		for _, method := range all {
			a := Default()
			a.Method = Method(method)
			b := a
			s.set(&b)
			if changes := a.Hash() != b.Hash(); changes != slices.Contains(s.readers, method) {
				t.Errorf("%s: %s changes the hash: %v", method, s.name, changes)
			}
		}
	}
	cnn := Default()
	cnn.Model.Encoder, cnn.Model.Head = "resnet50", "deeplabv2"
	same := cnn
	same.Model.Stem, same.Model.EncoderBN, same.Model.Dilations, same.Model.HeadWidth = "deep", "batch", []int{6, 12}, 7
	if cnn.Hash() != same.Hash() {
		t.Error("what a CNN is anyhow changed the hash")
	}
	lora := Default()
	lora.Model.EncoderTrain = TrainLoRA
	adapted := lora
	adapted.Model.LoRA = LoRA{Rank: 16, Alpha: 16}
	if lora.Hash() != adapted.Hash() {
		t.Error("what adapters are anyhow changed the hash")
	}
	if adapted.Model.LoRA.Alpha = 32; lora.Hash() == adapted.Hash() {
		t.Error("α did not change the hash")
	}
	whole := Default()
	whole.Model.EncoderTrain = TrainAll
	if d := Default(); whole.Hash() != d.Hash() {
		t.Error("an encoder that is trained whole changed the hash")
	}
	within := Default()
	within.Method, within.Loss.Regions.Negatives = RCCR, NegativesWithin
	forgets := within
	forgets.Loss.Regions.Memory = 0
	if within.Hash() != forgets.Hash() {
		t.Error("what negatives within an image do not read changed the hash")
	}
	a := Default()
	b := a
	b.Loss.FeatureDistance.Classes, b.Loss.FeatureDistance.Ratio = []string{"person"}, 0.5
	if a.Hash() != b.Hash() {
		t.Error("the things of a distance without weight changed the hash")
	}
}

// TestSettledByMethod: a method whose name says on which images its terms are
// taken does not read the settings.
func TestSettledByMethod(t *testing.T) {
	for _, c := range []struct {
		method                 string
		ce, mix                string // configured
		wantCE, wantMix        string
		pseudo, mixes, teaches bool
	}{
		{SourceOnly, DomainPseudo, DomainPseudo, DomainSource, DomainPseudo, false, false, false},
		{Translated, DomainSource, DomainSource, DomainPseudo, DomainSource, true, false, false},
		{SelfTraining, DomainBoth, DomainPseudo, DomainSource, DomainSource, false, true, true},
		{SelfTrainingTranslated, DomainSource, DomainPseudo, DomainPseudo, DomainPseudo, true, true, true},
		{T2S, DomainBoth, DomainPseudo, DomainBoth, DomainPseudo, true, true, true},
		{TargetOnly, DomainPseudo, DomainSource, DomainSource, DomainSource, false, false, false},
		{Generalise, DomainSource, DomainSource, DomainSource, DomainSource, true, false, true},
	} {
		cfg := Default()
		cfg.Method, cfg.Loss.CEDomain, cfg.Loss.MixDomain = Method(c.method), c.ce, c.mix
		if cfg.CEDomain() != c.wantCE || cfg.MixDomain() != c.wantMix || cfg.UsesPseudo() != c.pseudo || cfg.UsesMix() != c.mixes || cfg.UsesTeacher() != c.teaches {
			t.Errorf("%s: L_S on %s, mixed from %s, pseudo %v, mixes %v, teacher %v", c.method,
				cfg.CEDomain(), cfg.MixDomain(), cfg.UsesPseudo(), cfg.UsesMix(), cfg.UsesTeacher())
		}
	}
	cfg := Default()
	cfg.Method, cfg.Loss.MixWeight = SelfTraining, 0
	if cfg.UsesMix() || cfg.UsesTeacher() {
		t.Error("L_T of weight 0 keeps a teacher")
	}
	cfg = Default()
	cfg.Loss.Pull.Weight = 0
	if cfg.UsesPull() || cfg.UsesPseudo() || !cfg.UsesMix() {
		t.Error("a pull of weight 0 is trained")
	}
	if cfg.Method = T2SMSE; cfg.PullKind() != "mse" {
		t.Errorf("t2s-mse pulls by %s", cfg.PullKind())
	}
}

// TestBadConfigurations pairs each fault with its message.
func TestBadConfigurations(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "extends: streets\nloss: {tau: 1}", `unknown key "loss.tau" (did you mean loss.contrast.tau or loss.pull.tau or loss.regions.tau?)`},
		{"unknown section", "extends: streets\nlosses: {a: 1}", `c.yaml: line 2: unknown key "losses" (did you mean loss?)`},
		{"wrong type", "extends: streets\ntrain: {iterations: many}", "c.yaml: line 2: train.iterations: want a whole number, have many"},
		{"not YAML", "a: [", "c.yaml: yaml:"},
		{"no such base", "extends: nothing", `"nothing": neither a preset`},
		{"own base", "extends: c.yaml", "extends itself"},
		{"terms without source", "extends: streets\nmethod: {terms: [mix]}", `(source first, then of pull, mix, mask, entropy, adversarial, class-adversarial, select, views, denoise, cluster, contrast, associate, regions), or a method with terms that it lacks, as t2s+mask, have "mix"`},
		{"no terms", "extends: streets\nmethod: {terms: []}", "method: want a method, or {terms: [source, pull, mix, mask, entropy, adversarial, class-adversarial, select, views, denoise, cluster, contrast, associate, regions]} with some of these: there are no terms"},
		{"unknown key of a method", "extends: streets\nmethod: {term: [source]}", `with some of these: term: unknown key "term"`},
		{"method", "extends: streets\nmethod: magic", `method: want one of source-only, translated, self-training, self-training+translated, t2s-mse, t2s, target-only, generalise, minent, adaptsegnet, advent, fada, cbst, crst, iast, sac, proda, cpsl, plca, sepico, cag, rccr, or terms of the loss joined by + (source first, then of pull, mix, mask, entropy, adversarial, class-adversarial, select, views, denoise, cluster, contrast, associate, regions), or a method with terms that it lacks, as t2s+mask, have "magic"`},
		{"no roots", "method: t2s", "data.source.root: is empty"},
		{"no target", "extends: streets\ndata: {target: {root: \"\"}}", "data.target.root: is empty: method t2s needs target images"},
		{"crop", "extends: streets\ndata: {crop: {width: 8}}", "line 2: data.crop: want at least 32×32, have 8×128"},
		{"tau", "extends: streets\nloss: {pull: {tau: 0}}", "loss.pull.tau: want > 0, have 0"},
		{"details larger than crops", "extends: streets\nmodel: {hrda: {detail: {width: 64, height: 256}}}", "model.hrda.detail: 64×256 px is larger than data.crop of 128×128: a detail is a part of it, half in each direction as published"},
		{"half a detail", "extends: streets\nmodel: {hrda: {detail: {width: 64}}}", "model.hrda.detail: want two positive numbers or 0×0, have 64×0"},
		{"weight of details", "extends: streets\nmodel: {hrda: {weight: 2}}", "model.hrda.weight: want 0 to 1, have 2"},
		{"attention", "extends: streets\nmodel: {hrda: {attention: 0}}", "model.hrda.attention: want at least 1, have 0"},
		{"masks without a target", "extends: streets\nmethod: generalise+mask", "method: generalise+mask reads no unlabelled target images, which term mask needs: take source+mask"},
		{"band of FDA", "extends: streets\ntranslate: {band: 0.5}", "translate.band: want 0 to less than 0.5, have 0.5"},
		{"window of FDA", "extends: streets\ntranslate: {box: shorter}", `translate.box: want one of min, axes, have "shorter"`},
		{"L_T without a target", "extends: streets\nmethod: source-only+mix", "method: source-only+mix reads no unlabelled target images, which term mix needs: take source+mix"},
		{"L_T without an unlabelled target", "extends: streets\nmethod: target-only+mix", "method: target-only+mix reads no unlabelled target images, which term mix needs"},
		{"blocks of masks", "extends: streets\nmethod: t2s+mask\nloss: {mask: {block: 129}}", "loss.mask.block: a block of 129×129 px is larger than the crop of 128×128: want a fraction of its side"},
		{"share of masks", "extends: streets\nloss: {mask: {ratio: 1}}", "loss.mask.ratio: want 0 to less than 1, have 1"},
		{"weight of masks", "extends: streets\nloss: {mask: {weight: -1}}", "loss.mask.weight: want a number from 0 up, have -1"},
		{"stem", "extends: streets\nmodel: {stem: wide}", `line 2: model.stem: want one of deep, plain, have "wide"`},
		{"batch norm", "extends: streets\nmodel: {encoder_bn: off}", `model.encoder_bn: want one of batch, frozen, have "off"`},
		{"a captured state of the host", "extends: streets\nruntime: {cuda: {graph: true}}", `runtime.cuda.graph: what is captured reads the state on the device: set runtime.state=device, too`},
		{"captured, one arena", "extends: streets\nruntime: {state: device, cuda: {graph: true, shared_arena: true}}", `runtime.cuda.graph: what is captured keeps an arena of its own: set runtime.cuda.shared_arena=false`},
		{"recomputation", "extends: streets\ntrain: {recompute: all}", `train.recompute: want one of none, blocks, have "all"`},
		{"accumulation", "extends: streets\ntrain: {accumulate: -1}", "line 2: train.accumulate: want at least 0, have -1"},
		{"accumulation for a discriminator", "extends: streets\nmethod: fada\ntrain: {accumulate: 2}", "line 3: train.accumulate: term class-adversarial takes no batches of several micro-batches, hence one process: want 1, and a larger train.batch, have 2"},
		{"what of the encoder", "extends: streets\nmodel: {encoder_train: head}", `model.encoder_train: want one of all, frozen, lora, have "head"`},
		{"frozen from nothing", "extends: streets\nmodel: {encoder_train: frozen, init: ''}", "model.init: is empty: with encoder_train frozen the encoder's own weights are not trained and would stay random: give weights"},
		{"rank", "extends: streets\nmodel: {lora: {rank: -1}}", "model.lora.rank: want 1 to 1024, or 0 for 16, have -1"},
		{"alpha", "extends: streets\nmodel: {lora: {alpha: -1}}", "model.lora.alpha: want more than 0, or 0 for the rank, have -1"},
		{"dilations", "extends: streets\nmodel: {dilations: [6, 0]}", "model.dilations: want numbers from 1 up, have [6 0]"},
		{"feature distance", "extends: streets\nloss: {feature_distance: {weight: -1}}", "loss.feature_distance.weight: want a number from 0 up, have -1"},
		{"its ratio", "extends: streets\nloss: {feature_distance: {ratio: 1.5}}", "loss.feature_distance.ratio: want more than 0, at most 1, have 1.5"},
		{"its ratio is NaN", "extends: streets\nloss: {feature_distance: {ratio: .nan}}", "line 2: loss.feature_distance.ratio: want a number, have .nan"},
		{"its weight is infinite", "extends: streets\nloss: {feature_distance: {weight: .inf}}", "line 2: loss.feature_distance.weight: want a number, have .inf"},
		{"no things", "extends: streets\nloss: {feature_distance: {weight: 1, classes: []}}", "loss.feature_distance.classes: is empty: name the classes that are things"},
		{"things are no list", "extends: streets\nloss: {feature_distance: {classes: {a: b}}}", "line 2: loss.feature_distance.classes: want a list, have key: value pairs"},
		{"crop ratio", "extends: streets\ndata: {rcs: {enabled: true, min_crop_ratio: -1}}", "data.rcs.min_crop_ratio: want ≥ 0, have -1"},
		{"streets' domains", "extends: streets\ndata: {streets: {domains: [moon]}}", `data.streets.domains: want one of game, camera, have "moon"`},
		{"no domains", "extends: streets\ndata: {streets: {domains: []}}", "data.streets.domains: is empty"},
		{"augmentation", "extends: streets\ndata: {augment: 6}", "data.augment: want 0 to 5, have 6"},
		{"NaN", "extends: streets\nloss: {delta: .nan}", "line 2: loss.delta: want a number, have .nan"},
		{"rims", "extends: streets\nloss: {ignore_top: 0.5, ignore_bottom: 0.5}", "leaves no row"},
		{"resize", "extends: streets\ndata: {source: {resize: {width: 5}}}", "data.source.resize: want two positive numbers or 0×0, have 5×0"},
		{"device", "extends: streets\nruntime: {device: tpu}", `runtime.device: want cpu, cuda, cuda:N or auto, have "tpu"`},
		{"generalise", "extends: streets\nmethod: generalise\nloss: {drw: none, pull: {key_domain: target}}", "loss.pull.key_domain: method generalise has no target images"},
		{"generalise by FDA", "extends: streets\nmethod: generalise\ntranslate: {engine: fda}\nloss: {drw: none}", "translate.engine: method generalise has no target images, which fda needs"},
		{"exchange", "extends: streets\nruntime: {exchange: true}", `runtime.exchange: want one of auto, mpi, nccl, have "true"`},
		{"domain of L_S", "extends: streets\nloss: {ce_domain: target}", `loss.ce_domain: want one of source, pseudo, both, have "target"`},
		{"domain of L_T", "extends: streets\nloss: {mix_domain: both}", `loss.mix_domain: want one of source, pseudo, have "both"`},
		{"weight of L_T", "extends: streets\nloss: {mix_weight: .inf}", "line 2: loss.mix_weight: want a number, have .inf"},
		{"weight of the entropy", "extends: streets\nloss: {entropy: {weight: 0}}", "loss.entropy.weight: want > 0, have 0: without the term take method=source-only"},
		{"rule of selection", "extends: streets\nloss: {select: {rule: all}}", `loss.select.rule: want one of cbst, crst, iast, have "all"`},
		{"kind of contrast", "extends: streets\nloss: {contrast: {kind: cosine}}", `loss.contrast.kind: want one of infonce, mse, have "cosine"`},
		{"entropy without a target", "extends: streets\nmethod: source-only+entropy", "method: source-only+entropy reads no unlabelled target images, which term entropy needs: take source+entropy"},
		{"its temperature", "extends: streets\nloss: {contrast: {tau: 0}}", "loss.contrast.tau: want > 0, have 0"},
		{"its momentum", "extends: streets\nloss: {contrast: {momentum: 2}}", "loss.contrast.momentum: want 0 to 1, have 2"},
		{"rounds of no iteration", "extends: streets\nmethod: proda\ntrain: {iterations: 6, warmup: 0, rounds: 7}", "train.rounds: want 0 to 5, because 5 iterations adapt, have 7"},
		{"negative rounds", "extends: streets\ntrain: {rounds: -1}", "train.rounds: want 0 or more, have -1"},
		{"nothing of labels denoised", "extends: streets\nloss: {denoise: {cross: 0, reverse: 0, consistency: 0, smooth: 0}}", "loss.denoise: cross, reverse, consistency and smooth are all 0"},
		{"nothing of clusters", "extends: streets\nloss: {cluster: {cross: 0, reverse: 0, consistency: 0, clusters: 0}}", "loss.cluster: cross, reverse, consistency and clusters are all 0"},
		{"stride of cycles", "extends: streets\nmethod: plca\nloss: {associate: {stride: 1000}}", "loss.associate.stride: want at most half of the crop's"},
		{"regions' temperature", "extends: streets\nloss: {regions: {tau: 0}}", "loss.regions.tau: want 0.001 or more, have 0: similarities are divided by it"},
		{"regions that do not divide", "extends: streets\nmethod: rccr\nloss: {regions: {size: 24}}", "loss.regions.size: regions of 24×24 px do not divide the crop of 128×128: want a divisor of both sides"},
		{"a region of all", "extends: streets\nmethod: rccr\nloss: {regions: {size: 128}}", "loss.regions.size: a region of 128×128 px is all of the crop of 128×128, or larger: want a fraction of its side"},
		{"a region of more", "extends: streets\nmethod: rccr\nloss: {regions: {size: 1000}}", "loss.regions.size: a region of 1000×1000 px is all of the crop of 128×128, or larger"},
		{"regions of nothing", "extends: streets\nmethod: rccr\nloss: {regions: {size: 0}}", "loss.regions.size: want at least 1, have 0"},
		{"negative memory of regions", "extends: streets\nloss: {regions: {memory: -1}}", "loss.regions.memory: want 0 to 1048576, have -1"},
		{"regions without negatives", "extends: streets\nmethod: rccr\ntrain: {batch: 1}\nloss: {regions: {negatives: across, memory: 0}}", "loss.regions.memory: is 0 and the batch has one image"},
		{"strategy of negatives", "extends: streets\nloss: {regions: {negatives: all}}", `loss.regions.negatives: want one of within, across, both, have "all"`},
		{"share of regions", "extends: streets\nloss: {regions: {share: 2}}", "loss.regions.share: want 0 to 1, have 2"},
		{"weight of regions", "extends: streets\nloss: {regions: {weight: 0}}", "loss.regions.weight: want > 0, have 0"},
		{"regions without a target", "extends: streets\nmethod: source-only+regions", "method: source-only+regions reads no unlabelled target images, which term regions needs"},
		{"its weight", "extends: streets\nloss: {select: {weight: 0}}", "loss.select.weight: want > 0, have 0"},
		{"portion", "extends: streets\nloss: {select: {portion: 2}}", "loss.select.portion: want 0 to 1, have 2"},
		{"smoothing", "extends: streets\nloss: {select: {smooth: -1}}", "loss.select.smooth: want a number from 0 up, have -1"},
		{"weight of the adversary", "extends: streets\nloss: {adversarial: {weight: -1}}", "loss.adversarial.weight: want > 0, have -1"},
		{"its rate", "extends: streets\nloss: {adversarial: {lr: 0}}", "loss.adversarial.lr: want > 0, have 0"},
		{"its width", "extends: streets\nloss: {adversarial: {width: 0}}", "loss.adversarial.width: want 1 to 1024, have 0"},
		{"what it sees", "extends: streets\nloss: {adversarial: {input: logits}}", `loss.adversarial.input: want one of softmax, entropy, have "logits"`},
		{"mean of the pull", "extends: streets\nloss: {pull: {mean: all}}", `loss.pull.mean: want one of class, pair, have "all"`},
		{"generalise by camera", "extends: streets\nmethod: generalise\ntranslate: {engine: camera}\nloss: {drw: none}", "translate.engine: method generalise has no target images, which camera needs"},
		{"exposure", "extends: streets\ntranslate: {camera: {exposure: -1}}", "translate.camera.exposure: want 0 to 4, have -1"},
		{"cast", "extends: streets\ntranslate: {camera: {cast: 200}}", "translate.camera.cast: want 0 to 128, have 200"},
		{"strength", "extends: streets\ntranslate: {camera: {strength: 2}}", "translate.camera.strength: want 0 to 1, have 2"},
		{"camera images", "extends: streets\ntranslate: {camera: {images: -1}}", "translate.camera.images: want at least 0, have -1"},
		{"no model", "extends: streets\ntranslate: {engine: {onnx: 1, fda: 1}}", "translate.model: is empty: engine onnx needs a model file"},
		{"no folder", "extends: streets\ntranslate: {engine: folder}", "translate.folder: is empty: engine folder needs"},
		{"AdaIN without a model", "extends: streets\ntranslate: {engine: {adain: 1, fda: 1}}", "translate.adain.model: is empty: engine adain needs a model file"},
		{"AdaIN's range", "extends: streets\ntranslate: {adain: {range: 0-1}}", `translate.adain.range: want one of 0..1, -1..1, 0..255, have "0-1"`},
		{"generalise by AdaIN", "extends: streets-dg\ntranslate: {engine: adain, adain: {model: a.onnx}}", "translate.engine: method generalise has no target images, which adain needs: want another engine, or translate.styles, a folder of pictures in their place"},
		{"weather", "extends: streets-dg\ntranslate: {weather: {kinds: [fog, sleet]}}", `translate.weather.kinds: want one of brightness, fog, frost, rain, snow, have "sleet"`},
		{"too mild", "extends: streets-dg\ntranslate: {weather: {severity_min: 0.5}}", "translate.weather.severity_min: want 1 to 5, have 0.5"},
		{"too severe", "extends: streets-dg\ntranslate: {weather: {severity_max: 6}}", "translate.weather.severity_max: want 1 to 5, have 6"},
		{"severities crossed", "extends: streets-dg\ntranslate: {weather: {severity_min: 4, severity_max: 2}}", "translate.weather.severity_max: is 2, below severity_min, 4"},
		{"range", "extends: streets\ntranslate: {range: 0-1}", `translate.range: want one of 0..1, -1..1, 0..255, have "0-1"`},
		{"name", "extends: streets\nname: a/b", "without slashes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(write(t, "c.yaml", c.text), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("have %v\nwant … %s", err, c.want)
			}
		})
	}
}

// A list that is set replaces the default, a longer one too.
func TestThings(t *testing.T) {
	for setting, want := range map[string][]string{
		"loss.feature_distance.classes=[person, traffic light]": {"person", "traffic light"},
		"loss.feature_distance.classes=[]":                      {},
		"loss.feature_distance.ratio=0.5":                       Default().Loss.FeatureDistance.Classes,
	} {
		c, err := Load("streets", []string{setting})
		if err != nil || !slices.Equal(c.Loss.FeatureDistance.Classes, want) {
			t.Errorf("%s: %v, %v", setting, c.Loss.FeatureDistance.Classes, err)
		}
	}
}

func TestBadSettings(t *testing.T) {
	for _, c := range []struct{ setting, want string }{
		{"seed", "want key=value"},
		{"=1", "want key=value"},
		{"iterations=5", "did you mean train.iterations?"},
		{"train=5", "is a section"},
		{"name=a\nb", "want the name of a folder"},
		{"name=..", "want the name of a folder, without slashes, have \"..\""},
		{"seed=[", "setting seed=[: want a whole number from 0 up, have ["},
		{"seed=many", "seed"},
		{"train.iterations=0", "train.iterations: want at least 1, have 0"},
	} {
		_, err := Load("streets", []string{c.setting})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: have %v, want … %s", c.setting, err, c.want)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, err := Load("streets", []string{"train.lr=-1", "train.batch=0"})
	for _, want := range []string{"train.lr", "train.batch"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v, want %s in it", err, want)
		}
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUnreadRounds: what a method does not read is no fault of it, nor is one fault told twice; with
// rounds, CBST's thresholds do not move.
func TestUnreadRounds(t *testing.T) {
	c := Default()
	c.Data.Streets.Enabled = true
	c.Loss.Associate.Stride, c.Train.Rounds = 1000, c.Train.Iterations+1
	for _, f := range c.faults() {
		if f.field == "loss.associate.stride" || f.field == "train.rounds" {
			t.Error(f)
		}
	}
	c.Method, c.Train.AdaptAfter, c.Train.Rounds = ProDA, 2, 2
	for _, f := range c.faults() {
		if f.field == "train.rounds" {
			t.Error(f)
		}
	}
	for method, same := range map[Method]bool{CBST: true, CRST: true, IAST: false} {
		a := Default()
		a.Method, a.Train.Rounds = method, 2
		b := a
		b.Loss.Select.Momentum /= 2
		if (a.Hash() == b.Hash()) != same {
			t.Errorf("%s with another momentum of thresholds: the hash is the same: %v", method, !same)
		}
	}
}
