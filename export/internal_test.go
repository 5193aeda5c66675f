package export

import "t2sda/export/predict"

// RunTrained is what the external tests compare exported models with.
var RunTrained = runTrained

// MetadataOf is what Build writes into a model of these options.
func MetadataOf(o ModelOptions) predict.Metadata { return o.withDefaults().metadata() }

// BuildFor is Build of a free size for an example.
func BuildFor(o ModelOptions, weights func(string) ([]float32, error), n, w, h int) ([]byte, error) {
	o = o.withDefaults()
	g, err := o.graph(weights, size{n, w, h})
	if err != nil {
		return nil, err
	}
	return Encode(g, o)
}
