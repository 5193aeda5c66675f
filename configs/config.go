package configs

import "cmp"

// Config describes one run completely: two runs of equal configurations on one
// machine give equal losses, bit for bit (CPU).
type Config struct {
	Name   string `mapstructure:"name" yaml:"name"`     // name of the run; its directory is output/name
	Output string `mapstructure:"output" yaml:"output"` // parent directory of run directories
	Method Method `mapstructure:"method" yaml:"method"`
	// Baseline trains source-only first, with the same iterations and seed, and
	// reports the result against it.
	Baseline bool   `mapstructure:"baseline" yaml:"baseline"`
	Seed     uint64 `mapstructure:"seed" yaml:"seed"`

	Data      Data      `mapstructure:"data" yaml:"data"`
	Model     Model     `mapstructure:"model" yaml:"model"`
	Translate Translate `mapstructure:"translate" yaml:"translate"`
	Loss      Loss      `mapstructure:"loss" yaml:"loss"`
	Train     Train     `mapstructure:"train" yaml:"train"`
	Runtime   Runtime   `mapstructure:"runtime" yaml:"runtime"`

	from origin // of a run's relative paths
}

// Data says where images come from and how crops are drawn.
type Data struct {
	Source Dataset `mapstructure:"source" yaml:"source"` // labelled
	Target Dataset `mapstructure:"target" yaml:"target"` // images only, except for method target-only
	Eval   Dataset `mapstructure:"eval" yaml:"eval"`     // labelled images of the target domain

	Crop        Size    `mapstructure:"crop" yaml:"crop"`
	Flip        bool    `mapstructure:"flip" yaml:"flip"`                   // mirror left to right with probability 0.5
	CatMaxRatio float64 `mapstructure:"cat_max_ratio" yaml:"cat_max_ratio"` // re-draw crops in which one class covers more; 1 switches it off
	RCS         RCS     `mapstructure:"rcs" yaml:"rcs"`
	// Augment is the strength of the photometric augmentation of labelled images:
	// with 1, the colour jitter and blur that DAFormer gives its mixed images; 0
	// switches it off. Translations are made of the image as it is.
	Augment  float64 `mapstructure:"augment" yaml:"augment"`
	Workers  int     `mapstructure:"workers" yaml:"workers"`   // goroutines that prepare batches
	Prefetch int     `mapstructure:"prefetch" yaml:"prefetch"` // batches kept ready
	CacheMB  int     `mapstructure:"cache_mb" yaml:"cache_mb"` // decoded images kept in memory, MiB per data set; 0 decodes every time
	Cache    string  `mapstructure:"cache" yaml:"cache"`       // folder for decoded images on disk, shared by runs; empty: none; ${VAR} is expanded
	// StatsCache is the folder that keeps class statistics and models of cameras
	// between runs; empty: the user's cache, if it can be written to. ${VAR} is
	// expanded. Neither it nor OnError is written when it is the default, so that
	// hashes from before there were these settings hold.
	StatsCache string `mapstructure:"stats_cache" yaml:"stats_cache,omitempty"`
	// FetchedMB bounds what the user's cache keeps of the files that were fetched from
	// buckets, MiB for all runs together; 0: 20480. It is not written when it is 0.
	FetchedMB int `mapstructure:"fetched_mb" yaml:"fetched_mb,omitempty"`
	// OnError says what follows when a file cannot be read: stop (empty: likewise),
	// or skip, which draws another one in its place, and counts it.
	OnError string `mapstructure:"on_error" yaml:"on_error,omitempty"`

	// Streets renders the embedded procedural world into the roots above
	// before a run when they hold nothing yet.
	Streets Streets `mapstructure:"streets" yaml:"streets"`
}

// What follows when a file cannot be read, see [Data.OnError].
const (
	OnErrorStop = "stop"
	OnErrorSkip = "skip"
)

// SkipsBadFiles reports whether files that cannot be read are passed over.
func (c *Config) SkipsBadFiles() bool { return c.Data.OnError == OnErrorSkip }

// Dataset is one split of images, with or without labels.
type Dataset struct {
	Layout  string   `mapstructure:"layout" yaml:"layout"`
	Root    string   `mapstructure:"root" yaml:"root"`       // folder, shards, or either in a bucket (s3://…); ${VAR} is expanded from the environment
	Split   string   `mapstructure:"split" yaml:"split"`     // train, val, …
	Images  string   `mapstructure:"images" yaml:"images"`   // folder below root in place of the layout's; {split} stands for the split
	Labels  string   `mapstructure:"labels" yaml:"labels"`   // likewise
	List    string   `mapstructure:"list" yaml:"list"`       // text file that names the images to use, one a line; empty: all
	Map     string   `mapstructure:"map" yaml:"map"`         // raw id → train id: a built-in name or a YAML file; empty: the layout's own
	Channel string   `mapstructure:"channel" yaml:"channel"` // of colour label files: the one that holds the id, red, green or blue; color: the map's colours say it; empty: the layout's
	Include []string `mapstructure:"include" yaml:"include"` // glob patterns on file names; empty: all
	Exclude []string `mapstructure:"exclude" yaml:"exclude"`
	Resize  Size     `mapstructure:"resize" yaml:"resize"` // 0×0 keeps the files' size

	// ImageSuffix and LabelSuffix are how names end in place of the layout's; what
	// comes before pairs an image with its label. Neither is written when empty, so
	// that hashes from before there were these keys hold.
	ImageSuffix string `mapstructure:"image_suffix" yaml:"image_suffix,omitempty"`
	LabelSuffix string `mapstructure:"label_suffix" yaml:"label_suffix,omitempty"`
}

// Size is a width and a height in pixels.
type Size struct {
	Width  int `mapstructure:"width" yaml:"width"`
	Height int `mapstructure:"height" yaml:"height"`
}

// RCS is rare class sampling (DAFormer §3.3).
type RCS struct {
	Enabled     bool    `mapstructure:"enabled" yaml:"enabled"`
	Temperature float64 `mapstructure:"temperature" yaml:"temperature"`
	MinPixels   int     `mapstructure:"min_pixels" yaml:"min_pixels"` // of the class, in an image of 2048×1024; scaled with area
	// MinCropRatio is the share of MinPixels that a crop should exceed; up to ten
	// crops are drawn for it. 0: a pixel of the class will do.
	MinCropRatio float64 `mapstructure:"min_crop_ratio" yaml:"min_crop_ratio"`
}

// Streets are the sizes of the embedded world.
type Streets struct {
	Enabled bool `mapstructure:"enabled" yaml:"enabled"`
	// Domains are rendered: game to the source's root, camera to the target's. One
	// alone serves with real photographs on the other side.
	Domains []string `mapstructure:"domains" yaml:"domains"`
	Seed    uint64   `mapstructure:"seed" yaml:"seed"`
	Train   int      `mapstructure:"train" yaml:"train"` // images per domain
	Val     int      `mapstructure:"val" yaml:"val"`
	Size    Size     `mapstructure:"size" yaml:"size"`
}

// Model is the network's architecture.
type Model struct {
	Encoder        string  `mapstructure:"encoder" yaml:"encoder"`
	Head           string  `mapstructure:"head" yaml:"head"`
	HeadWidth      int     `mapstructure:"head_width" yaml:"head_width"`
	ProjectorWidth int     `mapstructure:"projector_width" yaml:"projector_width"`
	ProjectorInput string  `mapstructure:"projector_input" yaml:"projector_input"` // concat | last
	DropPath       float64 `mapstructure:"drop_path" yaml:"drop_path"`             // of the last block, linear from 0
	Dropout        float64 `mapstructure:"dropout" yaml:"dropout"`                 // channels before the classifier
	Init           string  `mapstructure:"init" yaml:"init"`                       // weights to start from: a file (safetensors, PyTorch, ONNX), a name of those in the program (mit_nano), or fetch:NAME (t2sda weights list); empty: random

	// Stem and EncoderBN are for encoders that have a choice: of ResNets, the stem is
	// deep (empty: likewise; mmsegmentation's V1c) or plain (torchvision's weights
	// need it); of all with batch norm, that is trained and takes the batch's
	// statistics (batch; empty: likewise), or is as in model.init and takes running
	// ones (frozen).
	// Dilations are those of head deeplabv2; empty: 6, 12. None is written when
	// empty, so that hashes from before there were these keys hold.
	Stem      string `mapstructure:"stem" yaml:"stem,omitempty"`
	EncoderBN string `mapstructure:"encoder_bn" yaml:"encoder_bn,omitempty"`
	Dilations []int  `mapstructure:"dilations" yaml:"dilations,flow,omitempty"`

	// EncoderTrain says what of the encoder is trained: all of it (all; empty:
	// likewise), nothing (frozen), or low-rank adapters of queries and values (lora).
	// What is not trained comes from model.init. Neither key is written when empty.
	EncoderTrain string `mapstructure:"encoder_train" yaml:"encoder_train,omitempty"`
	LoRA         LoRA   `mapstructure:"lora" yaml:"lora,omitempty"`

	HRDA HRDA `mapstructure:"hrda" yaml:"hrda,omitempty"`
}

// HRDA are the settings of networks of two resolutions (Hoyer et al., ECCV 2022): data.crop
// at half its size, the context, and a detail of it at full size. Networks of one resolution
// have hashes without it, and files unless it was changed; likewise [Mask] without the term.
type HRDA struct {
	Detail    Size    `mapstructure:"detail" yaml:"detail"`       // px; 0×0: there is no HRDA
	Weight    float64 `mapstructure:"weight" yaml:"weight"`       // λ_d of the detail's own loss; the fused prediction's has 1 − λ_d
	Attention int     `mapstructure:"attention" yaml:"attention"` // channels inside of the scale attention's head
}

// UsesHRDA reports whether the network has two resolutions.
func (c *Config) UsesHRDA() bool { return c.Model.HRDA.Detail != Size{} }

// Values of model.encoder_train.
const (
	TrainAll    = "all"
	TrainFrozen = "frozen"
	TrainLoRA   = "lora"
)

// LoRA are the settings of model.encoder_train=lora (Hu et al., 2021): a weight W
// counts as W + (α/r)·B·A, with A of r rows and B of r columns. Adapters have the
// encoder's learning rate.
type LoRA struct {
	Rank  int     `mapstructure:"rank" yaml:"rank"`   // r; 0: 16
	Alpha float64 `mapstructure:"alpha" yaml:"alpha"` // α; 0: r
}

// Resolved returns rank and α with what stands for 0.
func (l LoRA) Resolved() (rank int, alpha float64) {
	rank = cmp.Or(l.Rank, 16)
	return rank, cmp.Or(l.Alpha, float64(rank))
}

// Translate chooses the engines that make pseudo-target images.
type Translate struct {
	Engine Engines `mapstructure:"engine" yaml:"engine"` // one, or several to draw from for each image
	Band   float64 `mapstructure:"band" yaml:"band"`     // FDA's L
	Box    string  `mapstructure:"box" yaml:"box"`       // FDA's window: min | axes
	// Asymmetric takes the public FDA training code's 2b×2b window.
	Asymmetric bool   `mapstructure:"asymmetric" yaml:"asymmetric"`
	Clip       bool   `mapstructure:"clip" yaml:"clip"`     // FDA: clip to 0–255
	Folder     string `mapstructure:"folder" yaml:"folder"` // engine folder: translated images under their source's file names
	// Model is engine onnx's network, an ONNX file: image and, if it takes one,
	// reference image → image. Range is that of its float images: 0..1 (empty),
	// -1..1 or 0..255. Neither is written when empty, so that hashes from before
	// there was this engine hold.
	Model  string `mapstructure:"model" yaml:"model,omitempty"`
	Range  string `mapstructure:"range" yaml:"range,omitempty"`
	Camera Camera `mapstructure:"camera" yaml:"camera"`

	// Styles is a folder of pictures that are shown to engines in place of the target's
	// images (fda, adain, onnx), AdaIN a second network, Weather what engine weather
	// makes. None is written when empty, so that hashes from before there were these
	// keys hold.
	Styles  string  `mapstructure:"styles" yaml:"styles,omitempty"`
	AdaIN   Network `mapstructure:"adain" yaml:"adain,omitempty"`
	Weather Weather `mapstructure:"weather" yaml:"weather,omitempty"`
}

// Network is the network of engine adain: image and reference image → image.
type Network struct {
	Model string `mapstructure:"model" yaml:"model,omitempty"` // ONNX file
	Range string `mapstructure:"range" yaml:"range,omitempty"` // of float images: 0..1 (empty), -1..1 or 0..255
}

// Weather holds the settings of engine weather. Each image's kind and severity are
// drawn.
type Weather struct {
	Kinds       []string `mapstructure:"kinds" yaml:"kinds,flow,omitempty"` // of brightness, fog, frost, rain, snow; empty: all
	SeverityMin float64  `mapstructure:"severity_min" yaml:"severity_min"`  // 1 to 5; 0: 1
	SeverityMax float64  `mapstructure:"severity_max" yaml:"severity_max"`  // 1 to 5; 0: 5
}

// Camera holds the settings of engine camera, whose model of the target's
// appearance is fitted to the images of both domains before a run.
type Camera struct {
	Exposure float64 `mapstructure:"exposure" yaml:"exposure"` // deviation of each image's exposure, stops
	Cast     float64 `mapstructure:"cast" yaml:"cast"`         // deviation of each image's colour cast, grey levels
	Strength float64 `mapstructure:"strength" yaml:"strength"` // each image's blur and noise are multiplied by 1 ± up to this
	Images   int     `mapstructure:"images" yaml:"images"`     // of each domain that are measured, evenly spaced; 0: all
}

// Loss holds the terms' switches: L = L_S + mix_weight·L_T + λ·L_pull (Wang et
// al., eq. 2, whose L_T has weight 1), and mask.weight·L_M where the method says so.
type Loss struct {
	// CEDomain are the images of L_S: source | pseudo | both (their mean). Methods
	// whose name says it do not read it, see [Config.CEDomain]; likewise MixDomain.
	CEDomain      string `mapstructure:"ce_domain" yaml:"ce_domain"`
	CEDenominator string `mapstructure:"ce_denominator" yaml:"ce_denominator"` // of L_S: all | valid pixels; L_T's is always all

	MixDomain string  `mapstructure:"mix_domain" yaml:"mix_domain"` // whose pixels ClassMix pastes: source | pseudo
	MixWeight float64 `mapstructure:"mix_weight" yaml:"mix_weight"` // of L_T; 0: no L_T

	Mask Mask `mapstructure:"mask" yaml:"mask,omitempty"`

	Delta        float64 `mapstructure:"delta" yaml:"delta"`                 // confidence that counts for q
	Quality      string  `mapstructure:"quality" yaml:"quality"`             // q per image | batch
	IgnoreTop    float64 `mapstructure:"ignore_top" yaml:"ignore_top"`       // share of the target image's rows, from its top, without weight in L_T and L_M
	IgnoreBottom float64 `mapstructure:"ignore_bottom" yaml:"ignore_bottom"` // likewise at the bottom

	Pull Pull `mapstructure:"pull" yaml:"pull"`

	Entropy          Entropy          `mapstructure:"entropy" yaml:"entropy,omitempty"`
	Adversarial      Adversarial      `mapstructure:"adversarial" yaml:"adversarial,omitempty"`
	ClassAdversarial ClassAdversarial `mapstructure:"class_adversarial" yaml:"class_adversarial,omitempty"`
	Select           Select           `mapstructure:"select" yaml:"select,omitempty"`
	Views            Views            `mapstructure:"views" yaml:"views,omitempty"`
	Denoise          Denoise          `mapstructure:"denoise" yaml:"denoise,omitempty"`
	Cluster          Cluster          `mapstructure:"cluster" yaml:"cluster,omitempty"`
	Associate        Associate        `mapstructure:"associate" yaml:"associate,omitempty"`
	Contrast         Contrast         `mapstructure:"contrast" yaml:"contrast,omitempty"`
	Regions          Regions          `mapstructure:"regions" yaml:"regions,omitempty"`

	FeatureDistance FeatureDistance `mapstructure:"feature_distance" yaml:"feature_distance"`

	DRW     string  `mapstructure:"drw" yaml:"drw"` // none | lt | pull: the term that class weights multiply
	DRWBeta float64 `mapstructure:"drw_beta" yaml:"drw_beta"`
}

// Mask is the term mask, L_M, masked image consistency (MIC, Hoyer et al., CVPR 2023):
// target images with blocks hidden at random are learned with the teacher's labels of the
// whole ones. [Method] says whether there is the term: t2s+mask.
type Mask struct {
	Weight float64 `mapstructure:"weight" yaml:"weight"` // of L_M; 0: no L_M
	Block  int     `mapstructure:"block" yaml:"block"`   // side of a block, px
	Ratio  float64 `mapstructure:"ratio" yaml:"ratio"`   // probability that a block is hidden
}

// Pull is the term that pulls target to source.
type Pull struct {
	Weight      float64 `mapstructure:"weight" yaml:"weight"` // λ; 0: no pull
	Kind        string  `mapstructure:"kind" yaml:"kind"`     // infonce | mse
	Mean        string  `mapstructure:"mean" yaml:"mean"`     // over class: every class with queries counts by its weight | pair: every query does
	Tau         float64 `mapstructure:"tau" yaml:"tau"`
	Queries     int     `mapstructure:"queries" yaml:"queries"`     // n, mean per class
	Negatives   int     `mapstructure:"negatives" yaml:"negatives"` // m per class
	Block       int     `mapstructure:"block" yaml:"block"`         // queries per block of the batched product
	Balanced    bool    `mapstructure:"balanced" yaml:"balanced"`   // CBQS; off: CEQS
	Equalised   bool    `mapstructure:"equalised" yaml:"equalised"` // DENPS: m/2 negatives from each domain
	Alpha       float64 `mapstructure:"alpha" yaml:"alpha"`         // percentile of confidence below which target features are negatives, %
	QueryDomain string  `mapstructure:"query_domain" yaml:"query_domain"`
	KeyDomain   string  `mapstructure:"key_domain" yaml:"key_domain"`
	GridLabels  string  `mapstructure:"grid_labels" yaml:"grid_labels"` // nearest | majority (of 3/4 of a cell, else ignored)
}

// FeatureDistance keeps the encoder's features of things near those of the
// weights that it started from (DAFormer §3.3, 0.005 there). It is off where
// model.init is empty: random weights know nothing worth keeping. Methods that
// are cross-entropy alone do not read it.
type FeatureDistance struct {
	Weight  float64  `mapstructure:"weight" yaml:"weight"`   // 0: off
	Classes []string `mapstructure:"classes" yaml:"classes"` // names of the things
	Ratio   float64  `mapstructure:"ratio" yaml:"ratio"`     // share of a feature's cell that one class must cover
}

// Train is the optimisation.
type Train struct {
	Iterations int `mapstructure:"iterations" yaml:"iterations"`
	// Extended are the numbers of iterations, ascending, after which the run was
	// finished and then extended, see [Config.Extend]. It is not written when
	// empty, so that hashes from before there were extensions hold.
	Extended     []int   `mapstructure:"extended" yaml:"extended,flow,omitempty"`
	Batch        int     `mapstructure:"batch" yaml:"batch"` // source images, and as many target images, of a micro-batch
	LR           float64 `mapstructure:"lr" yaml:"lr"`       // encoder
	HeadLRFactor float64 `mapstructure:"head_lr_factor" yaml:"head_lr_factor"`
	Beta1        float64 `mapstructure:"beta1" yaml:"beta1"`
	Beta2        float64 `mapstructure:"beta2" yaml:"beta2"`
	Epsilon      float64 `mapstructure:"epsilon" yaml:"epsilon"`
	WeightDecay  float64 `mapstructure:"weight_decay" yaml:"weight_decay"`
	ClipNorm     float64 `mapstructure:"clip_norm" yaml:"clip_norm"` // 0: no clipping
	Warmup       int     `mapstructure:"warmup" yaml:"warmup"`       // iterations of linear warm-up
	WarmupRatio  float64 `mapstructure:"warmup_ratio" yaml:"warmup_ratio"`
	Power        float64 `mapstructure:"power" yaml:"power"` // of the polynomial decay
	// AdaptAfter is the share of the iterations that train L_S only. A network
	// that starts from random weights has no pseudo-labels or features worth
	// following at first; one that starts from pretrained weights needs none of it.
	AdaptAfter float64 `mapstructure:"adapt_after" yaml:"adapt_after"`
	EMA        float64 `mapstructure:"ema" yaml:"ema"` // α
	BNMomentum float64 `mapstructure:"bn_momentum" yaml:"bn_momentum"`
	// Recompute says what of the forward pass is computed again for the gradients
	// instead of being kept: none (also if empty) | blocks. Results are the same.
	Recompute string `mapstructure:"recompute" yaml:"recompute,omitempty"`
	// Accumulate is how many micro-batches of Batch images make an iteration's batch,
	// whose sums and gradients are taken over all of them: by one process one after the
	// other, or shared out to several. 0: one for each process, see [Train.MicroBatches].
	Accumulate int `mapstructure:"accumulate" yaml:"accumulate,omitempty"`
	// Rounds is how many times, evenly over the iterations that adapt, the teacher labels the
	// whole target set, for terms that learn with such labels. 0: as [Config.RoundStarts] has it.
	Rounds int `mapstructure:"rounds" yaml:"rounds,omitempty"`

	EvalEvery       int `mapstructure:"eval_every" yaml:"eval_every"`             // iterations; 0: only at the end
	CheckpointEvery int `mapstructure:"checkpoint_every" yaml:"checkpoint_every"` // iterations; 0: only at the end
	Keep            int `mapstructure:"keep" yaml:"keep"`                         // last checkpoints kept, besides the best
	LogEvery        int `mapstructure:"log_every" yaml:"log_every"`
}

// Train.Recompute's values.
const (
	RecomputeNone   = "none"
	RecomputeBlocks = "blocks" // of the encoder, and wide branches of heads
)

// Runtime chooses library and device.
type Runtime struct {
	Library  string `mapstructure:"library" yaml:"library"` // ONNX Runtime's shared library; empty: discovered
	Device   string `mapstructure:"device" yaml:"device"`   // cpu | cuda[:n] | auto
	Threads  int    `mapstructure:"threads" yaml:"threads"` // 0: one per core
	Spinning bool   `mapstructure:"spinning" yaml:"spinning"`
	Kernels  string `mapstructure:"kernels" yaml:"kernels,omitempty"` // on the CPU (x86-64), see KernelsFast
	Profile  string `mapstructure:"profile" yaml:"profile"`           // prefix of ONNX Runtime profiles; empty: none
	State    string `mapstructure:"state" yaml:"state,omitempty"`     // where parameters, gradients and moments lie: host | device
	Strict   bool   `mapstructure:"strict" yaml:"strict,omitempty"`   // an operator that CUDA would leave to the CPU is an error, not a warning
	// Precision is that of products while a network is trained, fp32, tf32, bf16 or fp16;
	// empty: tf32, or fp32 where cuda.tf32 says false. See [Config.Precision].
	Precision string `mapstructure:"precision" yaml:"precision,omitempty"`
	// Exchange is how gradients travel between processes, auto, mpi or nccl; empty: auto.
	Exchange string `mapstructure:"exchange" yaml:"exchange,omitempty"`
	CUDA     CUDA   `mapstructure:"cuda" yaml:"cuda"`
}

// Runtime.Kernels' values: which of the program's own kernels for the CPU train.
const (
	KernelsFast  = "fast"  // all of them
	KernelsExact = "exact" // those by which all that is learned has the bits that it has by ONNX Runtime's
	KernelsStock = "stock" // none
)

// How gradients travel between processes (runtime.exchange).
const (
	ExchangeAuto = "auto" // by NCCL where the state is on CUDA devices and all can, else by MPI
	ExchangeMPI  = "mpi"  // through the host's memory
	ExchangeNCCL = "nccl" // from device to device, or not at all
)

// CUDA holds the provider options that matter for training.
type CUDA struct {
	// TF32 lets products of float32 be computed from operands of 10 binary places. Nil:
	// unless Precision is fp32.
	TF32                *bool  `mapstructure:"tf32" yaml:"tf32,omitempty"`
	ConvAlgoSearch      string `mapstructure:"conv_algo_search" yaml:"conv_algo_search"`
	ArenaExtendStrategy string `mapstructure:"arena_extend_strategy" yaml:"arena_extend_strategy"`
	MemoryLimitMB       int64  `mapstructure:"memory_limit_mb" yaml:"memory_limit_mb"`     // 0: none
	SharedArena         bool   `mapstructure:"shared_arena" yaml:"shared_arena,omitempty"` // one arena for all sessions
	// Graph captures what networks tell the device to do and repeats it (CUDA graphs).
	Graph bool `mapstructure:"graph" yaml:"graph,omitempty"`
}

// Default returns the paper's configuration: T2S-InfoNCE on the DAFormer
// recipe. Data roots are empty.
func Default() Config {
	return Config{
		Name: "run", Output: "runs", Method: T2S, Seed: 1,
		Data: Data{
			Source: Dataset{Layout: "generic", Split: "train"},
			Target: Dataset{Layout: "generic", Split: "train"},
			Eval:   Dataset{Layout: "generic", Split: "val"},
			Crop:   Size{512, 512}, Flip: true, CatMaxRatio: 0.75,
			RCS:     RCS{Enabled: true, Temperature: 0.01, MinPixels: 3000, MinCropRatio: 0.5},
			Workers: 2, Prefetch: 4,
			Streets: Streets{Domains: []string{"game", "camera"}, Seed: 1, Train: 400, Val: 100, Size: Size{256, 128}},
		},
		Model: Model{
			Encoder: "mit_b5", Head: "daformer", HeadWidth: 256, ProjectorWidth: 256,
			ProjectorInput: "concat", DropPath: 0.1, Dropout: 0.1,
			HRDA: HRDA{Weight: 0.1, Attention: 256}, // HRDA's public configuration
		},
		Translate: Translate{
			Engine: Engines{"fda": 1}, Band: 0.01, Box: "min", Clip: true,
			Camera: Camera{Exposure: 0.1, Cast: 2, Strength: 0.2, Images: 200},
		},
		Loss: Loss{
			CEDomain: DomainSource, CEDenominator: "all",
			MixDomain: DomainSource, MixWeight: 1,
			Mask:  Mask{Weight: 1, Block: 32, Ratio: 0.7}, // MIC's; its blocks are of 64 px in crops of 1024
			Delta: 0.968, Quality: "image",
			IgnoreTop: 15.0 / 512, IgnoreBottom: 120.0 / 512, // DAFormer's, of images and crops of 512 rows
			Pull: Pull{
				Weight: 0.1, Kind: "infonce", Mean: "class", Tau: 0.2, Queries: 128, Negatives: 1024, Block: 64,
				Balanced: true, Equalised: true, Alpha: 50,
				QueryDomain: DomainPseudo, KeyDomain: DomainSource, GridLabels: "nearest",
			},
			FeatureDistance: FeatureDistance{
				Classes: []string{ // Cityscapes' things, as DAFormer counts them
					"traffic light", "traffic sign", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
				},
				Ratio: 0.75,
			},
			DRW: "pull", DRWBeta: 0.5,
			Entropy:          defaultEntropy(),
			Adversarial:      defaultAdversarial(),
			ClassAdversarial: defaultClassAdversarial(),
			Select:           defaultSelect(),
			Views:            defaultViews(),
			Denoise:          defaultDenoise(),
			Cluster:          defaultCluster(),
			Associate:        defaultAssociate(),
			Contrast:         defaultContrast(),
			Regions:          defaultRegions(),
		},
		Train: Train{
			Iterations: 40000, Batch: 2, LR: 6e-5, HeadLRFactor: 10,
			Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01,
			Warmup: 1500, WarmupRatio: 1e-6, Power: 1, EMA: 0.999, BNMomentum: 0.1,
			EvalEvery: 4000, CheckpointEvery: 2000, Keep: 2, LogEvery: 50,
		},
		Runtime: Runtime{
			Device: "auto", State: "host", Kernels: KernelsFast,
			CUDA: CUDA{ConvAlgoSearch: "EXHAUSTIVE", ArenaExtendStrategy: "kSameAsRequested"},
		},
	}
}
