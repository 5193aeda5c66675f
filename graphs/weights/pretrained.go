package weights

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
)

//go:embed pretrained/*.safetensors
var pretrained embed.FS

const pretrainedSuffix = ".safetensors"

// Pretrained lists the names of the weights that are part of the program.
// mit_nano is the encoder that preset streets-pretrain trains; presets of the
// small network start from it, as the paper's start from ImageNet's weights.
func Pretrained() []string {
	entries, err := pretrained.ReadDir("pretrained")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), pretrainedSuffix)
	}
	return names
}

// LoadPretrained returns the tensors of that name and their metadata.
func LoadPretrained(name string) ([]Tensor, map[string]string, error) {
	data, err := pretrained.ReadFile("pretrained/" + name + pretrainedSuffix)
	if err != nil {
		return nil, nil, fmt.Errorf("no pretrained weights %q, there are: %s", name, strings.Join(Pretrained(), ", "))
	}
	return Decode(name, bytes.NewReader(data), int64(len(data)))
}
