package analyze

import (
	"encoding/json"
	"math"

	"gonum.org/v1/gonum/stat"

	"t2sda/datasets"
	"t2sda/export/score"
)

// Number is a measure; NaN where there is nothing to measure. It is null in JSON
// unless it is finite.
type Number float64

// MarshalJSON implements [json.Marshaler].
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.Finite() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON implements [json.Unmarshaler]: null becomes NaN.
func (n *Number) UnmarshalJSON(data []byte) error {
	return (*score.Score)(n).UnmarshalJSON(data)
}

// Finite reports whether there is a number.
func (n Number) Finite() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// Result is what [Run] found.
type Result struct {
	Run      string         `json:"run"`
	Features string         `json:"features"` // see [features.Kinds]
	Seed     uint64         `json:"seed"`
	Source   Domain         `json:"source"`
	Target   Domain         `json:"target"`
	Networks []Network      `json:"networks"` // the run's, then the baseline's if there is one
	Notes    []string       `json:"notes,omitempty"`
	Files    []string       `json:"-"` // written
	Space    datasets.Space `json:"-"`
	Seconds  float64        `json:"seconds"`
}

// Names returns what to call the networks: by their methods, or by their
// directories where those are one method.
func (r *Result) Names() []string {
	names := make([]string, len(r.Networks))
	for i, n := range r.Networks {
		names[i] = n.Method
		if i > 0 && n.Method == r.Networks[0].Method {
			names[0], names[i] = r.Networks[0].Dir, n.Dir
		}
	}
	return names
}

// Domain is what images a domain was looked at on.
type Domain struct {
	Place   string           `json:"place"` // layout, folder, split
	Images  int              `json:"images"`
	Of      int              `json:"of"`    // images there
	Width   int              `json:"width"` // that the network saw, pixels
	Height  int              `json:"height"`
	Skipped []datasets.Fault `json:"skipped,omitempty"` // that cannot be read, of a run with data.on_error: skip
}

// Network is what was measured of one network.
type Network struct {
	Method     string  `json:"method"`
	Dir        string  `json:"dir"` // run directory
	Checkpoint string  `json:"checkpoint"`
	Iteration  int     `json:"iteration"`
	Depth      int     `json:"depth"` // of the features
	Classes    []Class `json:"classes"`
	Mean       Class   `json:"mean"` // of each measure over the classes that have it
	// Correlation is Pearson's, over the classes, of similarity and IoU on the
	// target.
	Correlation Number    `json:"correlation"`
	Embedding   Embedding `json:"embedding"`

	embedded *embedding
}

// Class is one class's measures.
type Class struct {
	Name       string      `json:"name"`
	Similarity Number      `json:"similarity"` // cosine of the domains' means
	Source     DomainClass `json:"source"`
	Target     DomainClass `json:"target"`
}

// DomainClass are one class's measures within one domain.
type DomainClass struct {
	Positions int64       `json:"positions"` // of the feature grid
	IoU       score.Score `json:"iou"`       // at full label size
	CCD       Number      `json:"ccd"`
	PDD       Number      `json:"pdd"`
}

// Embedding describes the pictures of one network.
type Embedding struct {
	Points      int        `json:"points"` // positions of both domains together
	PCAVariance [2]float64 `json:"pca_variance"`
	Perplexity  float64    `json:"perplexity"`
	Divergence  float64    `json:"divergence"` // t-SNE's, nats
}

// average returns the mean of every measure over the classes that have it.
func average(classes []Class) Class {
	mean := func(of func(c Class) Number) Number {
		sum, n := 0.0, 0
		for _, c := range classes {
			if v := of(c); v.Finite() {
				sum, n = sum+float64(v), n+1
			}
		}
		return Number(sum / float64(n)) // NaN for none
	}
	within := func(of func(c Class) DomainClass) DomainClass {
		out := DomainClass{
			IoU: score.Score(mean(func(c Class) Number { return Number(of(c).IoU) })),
			CCD: mean(func(c Class) Number { return of(c).CCD }),
			PDD: mean(func(c Class) Number { return of(c).PDD }),
		}
		for _, c := range classes {
			out.Positions += of(c).Positions
		}
		return out
	}
	return Class{
		Name: "mean", Similarity: mean(func(c Class) Number { return c.Similarity }),
		Source: within(func(c Class) DomainClass { return c.Source }),
		Target: within(func(c Class) DomainClass { return c.Target }),
	}
}

// correlation of similarity and IoU on the target, over the classes that have
// both; NaN for less than three.
func correlation(classes []Class) Number {
	var x, y []float64
	for _, c := range classes {
		if c.Similarity.Finite() && Number(c.Target.IoU).Finite() {
			x, y = append(x, float64(c.Similarity)), append(y, float64(c.Target.IoU))
		}
	}
	if len(x) < 3 {
		return Number(math.NaN())
	}
	return Number(stat.Correlation(x, y, nil))
}
