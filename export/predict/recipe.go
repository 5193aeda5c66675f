package predict

// Recipe says, for another runtime, how an image becomes the model's input and what its
// output means: all that this package does around the session's run.
type Recipe struct {
	Input  RecipeInput  `json:"input"`
	Output RecipeOutput `json:"output"`
	// Width and Height are what images are brought to, 0 where they keep their own size.
	Width  int `json:"width"`
	Height int `json:"height"`
	// Divisor is what a free width and height must be multiples of; 0: powers of two are
	// tried, see [Inference].
	Divisor int `json:"divisor"`
	// Single is whether an image is one run; otherwise it goes through in windows, sizes
	// or mirrorings, which this recipe does not say.
	Single bool `json:"single"`
}

// RecipeInput describes the model's input.
type RecipeInput struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // [InputFloat32] or [InputUint8]
	Layout   string `json:"layout"`
	Batch    bool   `json:"batch"`    // the first dimension counts images
	Channels [3]int `json:"channels"` // the model's first takes the image's channel (0 red) of that number, …
	Width    int    `json:"width"`    // 0: free
	Height   int    `json:"height"`
	// Values has what becomes of each 8-bit value, per channel of the model; nil: itself.
	Values [][]float32 `json:"values,omitempty"`
}

// RecipeOutput describes the model's output.
type RecipeOutput struct {
	Name string `json:"name"`
	// Threshold, of one channel of scores: above it is the second of two classes.
	Threshold *float64 `json:"threshold,omitempty"`
	// Softmax is whether channels are probabilities: their logarithms are the logits.
	Softmax bool `json:"softmax,omitempty"`
	// TrainIDs translates a channel or an id: −1 is not listed, 255 void. Nil: it is the
	// train id.
	TrainIDs []int `json:"train_ids,omitempty"`
}

// Recipe returns how images go through the model.
func (p *Predictor) Recipe() Recipe {
	r := Recipe{
		Input:  RecipeInput{Name: p.in.name, Type: InputFloat32, Layout: NCHW, Batch: len(p.in.dims) == 4, Channels: p.in.source, Width: p.in.w, Height: p.in.h},
		Output: RecipeOutput{Name: p.out.Name, Threshold: p.reading.threshold, Softmax: p.meta.Output.Kind == OutputSoftmax, TrainIDs: p.reading.classes.table},
		Width:  p.infer.Width, Height: p.infer.Height, Divisor: p.infer.Divisor, Single: p.infer.direct(),
	}
	if p.in.dtype.String() == InputUint8 {
		r.Input.Type = InputUint8
	}
	if p.in.last {
		r.Input.Layout = NHWC
	}
	if !p.in.plain() {
		for c := range p.in.lut {
			r.Input.Values = append(r.Input.Values, p.in.lut[c][:])
		}
	}
	return r
}

// plain reports whether the model takes 8-bit values as they are.
func (in *input) plain() bool {
	for c := range in.lut {
		for v, to := range in.lut[c] {
			if to != float32(v) {
				return false
			}
		}
	}
	return true
}
