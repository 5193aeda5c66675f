package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// networkKeys are the settings that say what a network is, whatever trains it.
var networkKeys = []string{"model.encoder", "model.head", "model.head_width", "model.stem", "model.dilations"}

// ReadNetwork reads settings that say what a network is over [Default], for weights that no
// run has trained, and returns the keys that were given. Other settings are errors.
func ReadNetwork(settings []string) (Model, []string, error) {
	given, err := readSettings(settings)
	if err != nil {
		return Model{}, nil, err
	}
	v := viper.New()
	var keys []string
	var faults []error
	for _, e := range given {
		if !slices.Contains(networkKeys, e.key) {
			faults = append(faults, fmt.Errorf("setting %s: weights without a run need none but %s", e.key, strings.Join(networkKeys, ", ")))
			continue
		}
		v.Set(e.key, e.value)
		keys = append(keys, e.key)
	}
	cfg := Default()
	err = errors.Join(append(faults, v.UnmarshalExact(&cfg))...)
	return cfg.Model, keys, err
}
