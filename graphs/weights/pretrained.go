package weights

import (
	"bytes"
	"embed"
	"fmt"
	"strings"

	"t2sda/internal/sha256sum"
)

//go:embed pretrained/*.safetensors
var pretrained embed.FS

const pretrainedSuffix = ".safetensors"

// pretrainedSums are the SHA-256 of the files; never modified.
var pretrainedSums = map[string]string{
	"mit_nano": "afdc2edf23064955a4914b7e400c03ec441f18409831841b8eba9cf80b5ec4d1",
}

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

// openPretrained opens the weights of that name.
func openPretrained(name string) (*File, error) {
	data, err := pretrained.ReadFile("pretrained/" + name + pretrainedSuffix)
	if err != nil {
		return nil, fmt.Errorf("no pretrained weights %q, there are: %s", name, strings.Join(Pretrained(), ", "))
	}
	if sha256sum.Of(data) != pretrainedSums[name] {
		return nil, fmt.Errorf("the weights %s in this program are not those that it was built with: the program's file is damaged", name)
	}
	f, err := newFile(name, unowned{bytes.NewReader(data)}, int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// LoadPretrained returns the tensors of that name and their metadata.
func LoadPretrained(name string) ([]Tensor, map[string]string, error) {
	f, err := openPretrained(name)
	if err != nil {
		return nil, nil, err
	}
	tensors, err := f.all()
	return tensors, f.Metadata(), err
}
