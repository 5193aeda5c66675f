package configs

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
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
var engineNames = []string{"adain", "blur", "camera", "cartoon", "fda", "folder", "jitter", "none", "onnx", "weather"}

// enginesKey is the one key whose value is a map.
const enginesKey = "translate.engine"

// errNoEngine says what translate.engine may be.
var errNoEngine = fmt.Errorf("want an engine (one of %s), or several with weights, as in {fda: 1, blur: 2}",
	strings.Join(engineNames, ", "))

// ParseEngines reads the YAML text of [Engines] and checks it. Errors begin
// with translate.engine and name the engine.
func ParseEngines(text string) (Engines, error) {
	e, err := readEngines(text)
	if err == nil {
		err = e.validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", enginesKey, err)
	}
	return e, nil
}

// readEngines reads what [ParseEngines] does, unchecked and without the key in
// its errors.
func readEngines(text string) (Engines, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%w; have nothing", errNoEngine)
	}
	return enginesOf(doc.Content[0])
}

// enginesOf reads engines, which may name some that do not exist.
func enginesOf(n *yaml.Node) (Engines, error) {
	n = resolved(n)
	switch {
	case n.Kind == yaml.ScalarNode && plain(n) != "":
		return Engines{n.Value: 1}, nil
	case n.Kind != yaml.MappingNode:
		return nil, fmt.Errorf("%w; have %s", errNoEngine, map[bool]string{true: "a list", false: "nothing"}[n.Kind == yaml.SequenceNode])
	}
	e := Engines{}
	return e, pairs(n, func(name string, value *yaml.Node) error {
		weight, err := readNode(reflect.TypeFor[float64](), value)
		if err != nil {
			return fmt.Errorf("as weight %w", err)
		}
		e[name] = weight.(float64)
		return nil
	})
}

// validate returns the first fault, without the key.
func (e Engines) validate() error {
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(e)) {
		switch weight := e[name]; {
		case !slices.Contains(engineNames, name):
			return fmt.Errorf("%w; have %q", errNoEngine, name)
		case !(weight >= 0) || math.IsInf(weight, 1):
			return fmt.Errorf("%s: want a weight of 0 or more, have %g", name, weight)
		default:
			sum += weight
		}
	}
	switch {
	case len(e) == 0:
		return errNoEngine
	case sum == 0:
		return fmt.Errorf("the weights of %s are all 0", strings.Join(slices.Sorted(maps.Keys(e)), ", "))
	case math.IsInf(sum, 1):
		return errors.New("the weights sum to infinity")
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
