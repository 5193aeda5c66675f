package configs

import "strings"

// Settings of the terms that look at features of single positions.

// Denoise is the term denoise, L_dn: self-training on target images by soft labels of a round of
// labelling, weighed by the distance of the teacher's features to each class's prototype, with a
// symmetric cross-entropy (ProDA: Zhang et al., CVPR 2021, first stage).
type Denoise struct {
	Weight      float64 `mapstructure:"weight" yaml:"weight"`           // of L_dn
	Temperature float64 `mapstructure:"temperature" yaml:"temperature"` // of assignments to prototypes
	Momentum    float64 `mapstructure:"momentum" yaml:"momentum"`       // of the prototypes
	Cross       float64 `mapstructure:"cross" yaml:"cross"`             // α, of the cross-entropy
	Reverse     float64 `mapstructure:"reverse" yaml:"reverse"`         // β, of the reverse cross-entropy
	Consistency float64 `mapstructure:"consistency" yaml:"consistency"` // γ₁, of assignments of augmented images
	Smooth      float64 `mapstructure:"smooth" yaml:"smooth"`           // γ₂, of the uniform distribution
}

// defaultDenoise has the numbers of the public code.
func defaultDenoise() Denoise {
	return Denoise{Weight: 1, Temperature: 1, Momentum: 0.9999, Cross: 0.1, Reverse: 1, Consistency: 10, Smooth: 0.1}
}

// UsesDenoise reports whether denoised labels are learned from.
func (c *Config) UsesDenoise() bool { return c.Trains(TermDenoise) }

// Cluster is the term cluster, L_cl: L_dn by angles to prototypes, and the student's features learn
// assignments of positions to the prototypes that are balanced by the classes' shares in the
// labels of the round (CPSL: Li et al., CVPR 2022, first stage).
type Cluster struct {
	Weight      float64 `mapstructure:"weight" yaml:"weight"`           // of L_cl
	Temperature float64 `mapstructure:"temperature" yaml:"temperature"` // of assignments by cosines
	Momentum    float64 `mapstructure:"momentum" yaml:"momentum"`       // of the prototypes
	Cross       float64 `mapstructure:"cross" yaml:"cross"`             // α, of the cross-entropy
	Reverse     float64 `mapstructure:"reverse" yaml:"reverse"`         // β, of the reverse cross-entropy
	Consistency float64 `mapstructure:"consistency" yaml:"consistency"` // of assignments of augmented images
	Clusters    float64 `mapstructure:"clusters" yaml:"clusters"`       // λ, of balanced assignments
	Epsilon     float64 `mapstructure:"epsilon" yaml:"epsilon"`         // of these: cosines are divided by it
	Balance     int     `mapstructure:"balance" yaml:"balance"`         // steps in which these are balanced
	Samples     int     `mapstructure:"samples" yaml:"samples"`         // positions of an image
	Memory      int     `mapstructure:"memory" yaml:"memory"`           // earlier positions that are balanced with them
}

// defaultCluster has the numbers of the public code.
func defaultCluster() Cluster {
	return Cluster{
		Weight: 1, Temperature: 0.08, Momentum: 0.999, Cross: 0.1, Reverse: 1, Consistency: 5,
		Clusters: 0.1, Epsilon: 0.05, Balance: 3, Samples: 256, Memory: 65536,
	}
}

// UsesCluster reports whether balanced assignments are learned from.
func (c *Config) UsesCluster() bool { return c.Trains(TermCluster) }

// denoises reports whether labels of rounds are denoised.
func (c *Config) denoises() bool { return c.UsesDenoise() || c.UsesCluster() }

// RoundStarts lists the iterations, counted from 0, before which the teacher labels the whole
// target set, ascending: train.rounds of them evenly between the first that adapts and the end
// that the run had first. The terms denoise and cluster have at least one, the term select as
// many as are said, no other has any. An extension goes on with the last labels.
func (c *Config) RoundStarts() []int {
	n, first, end := c.Train.Rounds, c.Train.FirstAdapting(), c.Train.Phase(0)
	switch {
	case c.denoises():
		n = max(n, 1)
	case !c.UsesSelect():
		n = 0
	}
	if n == 0 {
		return nil
	}
	starts := make([]int, n)
	for k := range starts {
		starts[k] = first + k*(end-first)/n
	}
	return starts
}

// Associate is the term associate, L_asso: positions of source and target images that are most
// alike, in cycles that end in the class that they began in, become more alike (PLCA: Kang et
// al., NeurIPS 2020).
type Associate struct {
	Weight    float64 `mapstructure:"weight" yaml:"weight"`       // of the cycles, by features and by predictions
	Stride    int     `mapstructure:"stride" yaml:"stride"`       // of the positions, px; no finer than the network's
	Aggregate float64 `mapstructure:"aggregate" yaml:"aggregate"` // α, what target positions take over from those that are like them
	Smooth    float64 `mapstructure:"smooth" yaml:"smooth"`       // of −log p over all classes, towards Threshold
	Threshold float64 `mapstructure:"threshold" yaml:"threshold"`
}

// defaultAssociate has the numbers of the public code; its network has a stride of 8.
func defaultAssociate() Associate {
	return Associate{Weight: 0.1, Stride: 8, Aggregate: 0.5, Smooth: 0.01, Threshold: 10}
}

// UsesAssociate reports whether cycles of positions are learned from.
func (c *Config) UsesAssociate() bool { return c.Trains(TermAssociate) }

// Contrast is the term contrast, L_con: features go to anchors of their class, moving means
// of source features, on both domains. Targets have the teacher's labels.
type Contrast struct {
	// Kind is infonce, against the anchors of all classes (SePiCo's ProtoCL: Xie et al., TPAMI
	// 2023), or mse, the squared distance (CAG: Zhang et al., NeurIPS 2019). Methods whose name
	// says it do not read it.
	Kind       string  `mapstructure:"kind" yaml:"kind"`
	Weight     float64 `mapstructure:"weight" yaml:"weight"`         // of L_con
	Momentum   float64 `mapstructure:"momentum" yaml:"momentum"`     // of the anchors
	Tau        float64 `mapstructure:"tau" yaml:"tau"`               // infonce
	Confidence float64 `mapstructure:"confidence" yaml:"confidence"` // mse: least of the teacher's, of target pixels that count
}

// The kinds of contrast.
const (
	ContrastInfoNCE = "infonce"
	ContrastMSE     = "mse"
)

// defaultContrast has the numbers of the public codes, τ and weight of SePiCo, confidence of
// CAG. The momentum is ours: SePiCo's means are over all iterations so far, CAG's are fixed
// for a stage.
func defaultContrast() Contrast {
	return Contrast{Kind: ContrastInfoNCE, Weight: 1, Momentum: 0.999, Tau: 100, Confidence: 0.95}
}

// UsesContrast reports whether features go to anchors.
func (c *Config) UsesContrast() bool { return c.Trains(TermContrast) }

// UsesProjector reports whether a term looks at projected features.
func (c *Config) UsesProjector() bool { return c.UsesPull() || c.UsesContrast() || c.UsesRegions() }

// Contrasts returns the settings of the term contrast with the kind that the method settles;
// what the kind does not read is 0.
func (c *Config) Contrasts() Contrast {
	k := c.Loss.Contrast
	k.Kind = settled(c.method().anchors, k.Kind)
	if k.Kind == ContrastMSE {
		k.Tau = 0
	} else {
		k.Confidence = 0
	}
	return k
}

// part is a summand of a loss, and its weight.
type part struct {
	key    string
	weight float64
}

// validateDenoised checks what L_dn and L_cl have in common. Parts are all that they are sums
// of.
func (v *validator) validateDenoised(field string, weight, temperature, momentum float64, parts ...part) {
	v.check(field+".weight", weight > 0, "want > 0, have %g: without the term take method=source-only", weight)
	v.check(field+".temperature", temperature > 0, "want > 0, have %g", temperature)
	v.between(field+".momentum", momentum, 0, 1)
	var keys []string
	learns := false
	for _, p := range parts {
		v.finite(field+"."+p.key, p.weight)
		keys, learns = append(keys, p.key), learns || p.weight != 0
	}
	last := len(keys) - 1
	v.check(field, learns, "%s and %s are all 0, so that nothing is learned: without the term take method=source-only", strings.Join(keys[:last], ", "), keys[last])
}

func (v *validator) validateDenoise(d *Denoise) {
	v.validateDenoised("loss.denoise", d.Weight, d.Temperature, d.Momentum,
		part{"cross", d.Cross}, part{"reverse", d.Reverse}, part{"consistency", d.Consistency}, part{"smooth", d.Smooth})
}

func (v *validator) validateAssociate(a *Associate) {
	v.check("loss.associate.weight", a.Weight > 0, "want > 0, have %g: without the term take method=source-only", a.Weight)
	v.check("loss.associate.stride", a.Stride >= 1, "want 1 or more, have %d", a.Stride)
	v.check("loss.associate.aggregate", a.Aggregate >= 0 && a.Aggregate < 1, "want 0 to less than 1, have %g", a.Aggregate)
	v.finite("loss.associate.smooth", a.Smooth)
	v.check("loss.associate.threshold", a.Threshold > 0, "want > 0, have %g", a.Threshold)
}

func (v *validator) validateCluster(k *Cluster) {
	v.validateDenoised("loss.cluster", k.Weight, k.Temperature, k.Momentum,
		part{"cross", k.Cross}, part{"reverse", k.Reverse}, part{"consistency", k.Consistency}, part{"clusters", k.Clusters})
	v.check("loss.cluster.epsilon", k.Epsilon >= 0.002, "want 0.002 or more, have %g: e^(1/epsilon) must be finite", k.Epsilon)
	v.check("loss.cluster.balance", k.Balance >= 1 && k.Balance <= 1000, "want 1 to 1000, have %d", k.Balance)
	v.check("loss.cluster.samples", k.Samples >= 1 && k.Samples <= 1<<20, "want 1 to %d, have %d", 1<<20, k.Samples)
	v.check("loss.cluster.memory", k.Memory >= 1 && k.Memory <= 1<<20, "want 1 to %d, have %d", 1<<20, k.Memory)
}

func (v *validator) validateContrast(k *Contrast) {
	v.oneOf("loss.contrast.kind", k.Kind, ContrastInfoNCE, ContrastMSE)
	v.check("loss.contrast.weight", k.Weight > 0, "want > 0, have %g: without the term take method=self-training", k.Weight)
	v.between("loss.contrast.momentum", k.Momentum, 0, 1)
	v.check("loss.contrast.tau", k.Tau > 0, "want > 0, have %g", k.Tau)
	v.between("loss.contrast.confidence", k.Confidence, 0, 1)
}
