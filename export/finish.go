package export

import (
	"context"
	"errors"
	"fmt"

	"t2sda/graphs"
	"t2sda/graphs/engine"
)

// Finish is [Build] with all that depends on constants only computed beforehand, on e: the model
// that is handed out.
func Finish(ctx context.Context, e *engine.Engine, o ModelOptions, weights func(name string) ([]float32, error)) ([]byte, error) {
	g, err := Graph(o, weights)
	if err != nil {
		return nil, err
	}
	if err := fold(ctx, e, g); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return Encode(g, o)
}

// fold computes the constants of a graph, see [graphs.Graph.Fold].
func fold(ctx context.Context, e *engine.Engine, g *graphs.Graph) error {
	return g.Fold(func(model []byte) (_ map[string][]float32, err error) {
		s, err := e.NewSession("export.constants", model)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		results, err := s.Run(ctx, nil)
		if err != nil {
			return nil, err
		}
		data := map[string][]float32{}
		for name, t := range results {
			data[name] = t.Floats()
		}
		return data, nil
	})
}
