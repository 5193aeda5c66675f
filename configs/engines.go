package configs

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Engines are the translation engines of a run by name, with their weights:
// each image is translated by one of them, drawn in proportion to the weights.
// In YAML a single engine is its name, several are a map: fda, or
// {fda: 1, blur: 2}.
type Engines map[string]float64

// engineNames lists the translation engines that exist.
var engineNames = []string{"blur", "camera", "fda", "folder", "jitter", "none", "onnx"}

// enginesKey is the one key whose value is a map.
const enginesKey = "translate.engine"

// errNoEngine says what translate.engine may be.
var errNoEngine = fmt.Errorf("%s: want an engine (one of %s), or several with weights, as in {fda: 1, blur: 2}",
	enginesKey, strings.Join(engineNames, ", "))

// ParseEngines reads the YAML text of [Engines] and checks it. Errors begin
// with translate.engine and name the engine.
func ParseEngines(text string) (Engines, error) {
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		return nil, fmt.Errorf("%s: %q: %w", enginesKey, text, err)
	}
	e, err := enginesOf(value)
	if err != nil {
		return nil, err
	}
	return e, e.validate()
}

// enginesOf turns a decoded YAML value into engines, which may name engines
// that do not exist.
func enginesOf(value any) (Engines, error) {
	switch value := value.(type) {
	case Engines:
		return value, nil
	case string:
		return Engines{value: 1}, nil
	case map[string]any:
		e := Engines{}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			switch weight := value[name].(type) {
			case int:
				e[name] = float64(weight)
			case float64:
				e[name] = weight
			default:
				return nil, fmt.Errorf("%s: %s: want a number as weight, have %v", enginesKey, name, weight)
			}
		}
		return e, nil
	}
	return nil, fmt.Errorf("%w; have %v", errNoEngine, value)
}

// validate returns the first fault.
func (e Engines) validate() error {
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(e)) {
		switch weight := e[name]; {
		case !slices.Contains(engineNames, name):
			return fmt.Errorf("%w; have %q", errNoEngine, name)
		case !(weight >= 0) || math.IsInf(weight, 1):
			return fmt.Errorf("%s: %s: want a weight of 0 or more, have %g", enginesKey, name, weight)
		default:
			sum += weight
		}
	}
	switch {
	case len(e) == 0:
		return errNoEngine
	case sum == 0:
		return fmt.Errorf("%s: the weights of %s are all 0", enginesKey, strings.Join(slices.Sorted(maps.Keys(e)), ", "))
	case math.IsInf(sum, 1):
		return errors.New(enginesKey + ": the weights sum to infinity")
	}
	return nil
}

// Names lists the engines that have a weight, in alphabetical order.
func (e Engines) Names() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if e[name] != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Use reports whether the engine has a weight.
func (e Engines) Use(name string) bool { return e[name] != 0 }

// String returns the engines as YAML has them on one line.
func (e Engines) String() string {
	names := e.Names()
	if len(names) == 1 {
		return names[0]
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%s: %g", name, e[name])
	}
	return "{" + strings.Join(names, ", ") + "}"
}

// MarshalYAML writes a single engine as its name, whatever its weight, and
// several as a map.
func (e Engines) MarshalYAML() (any, error) {
	names := e.Names()
	switch len(names) {
	case 0:
		return "", nil
	case 1:
		return names[0], nil
	}
	var node yaml.Node
	weighted := map[string]float64{}
	for _, name := range names {
		weighted[name] = e[name]
	}
	err := node.Encode(weighted)
	node.Style = yaml.FlowStyle
	return &node, err
}
