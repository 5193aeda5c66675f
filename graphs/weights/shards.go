package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxIndex is the largest index of shards, bytes: ten thousand tensors take one
// million.
const maxIndex = 16 << 20

// inFolder are the names that Hugging Face gives to the files of a model.
var inFolder = []string{"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"}

// FolderFiles lists the names under which a folder holds a model, in the order in which
// they are looked for.
func FolderFiles() []string { return slices.Clone(inFolder) }

// Shards lists the files that an index of weights names, which lie beside it, sorted.
// Whether they are there, and whether their names lead elsewhere, is not looked at.
func Shards(index string) (files []string, err error) {
	f, err := os.Open(index)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	shards, err := weightMap(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", index, err)
	}
	return sortedKeys(shards), nil
}

// weightMap reads an index: the names of tensors by the file that they are in.
func weightMap(r io.ReaderAt, size int64) (map[string][]string, error) {
	if size > maxIndex {
		return nil, fmt.Errorf("not an index of weights: %d bytes, the limit is %d", size, maxIndex)
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.NewDecoder(io.NewSectionReader(r, 0, size)).Decode(&index); err != nil {
		return nil, fmt.Errorf("not an index of weights: %w", err)
	}
	if len(index.WeightMap) == 0 {
		return nil, errors.New("not an index of weights: it has no weight_map, which says in what file each tensor is")
	}
	shards := map[string][]string{}
	for _, name := range sortedKeys(index.WeightMap) {
		shards[index.WeightMap[name]] = append(shards[index.WeightMap[name]], name)
	}
	return shards, nil
}

// openFolder opens what a folder holds under one of these names.
func openFolder(dir string) (*File, error) {
	for _, name := range inFolder {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return Open(path)
		}
	}
	return nil, fmt.Errorf("%s: is a folder without %s: name the file of weights itself (of a run, checkpoints/…/student.safetensors)", dir, strings.Join(inFolder, ", "))
}

// readIndex opens the files that the index names, which lie beside it, and takes
// from each the tensors that the index says are there.
func (f *File) readIndex(r io.ReaderAt) error {
	if f.isShard {
		return errors.New("is an index of weights where weights should be")
	}
	shards, err := weightMap(r, f.size)
	if err != nil {
		return err
	}
	for _, shard := range sortedKeys(shards) {
		if err := f.readShard(shard, shards[shard]); err != nil {
			return fmt.Errorf("%s: %w", shard, err)
		}
	}
	f.form = fmt.Sprintf("%s, %d files", f.form, len(shards))
	return nil
}

// readShard adds the named tensors of one file. It must lie in the index's folder.
func (f *File) readShard(shard string, names []string) error {
	file, size, err := f.open(shard)
	if err != nil {
		return err
	}
	if size == 0 {
		return errEmpty
	}
	s := &File{path: filepath.Join(filepath.Dir(f.path), shard), size: size, isShard: true}
	err = s.readFrom(file)
	f.files = append(f.files, s.files...) // which an ONNX model names, and which are closed with f in any case
	if err != nil {
		return err
	}
	for _, name := range names {
		i, ok := s.index[name]
		if !ok {
			return fmt.Errorf("tensor %q is not in it, as the index says", name)
		}
		f.tensors = append(f.tensors, s.tensors[i])
	}
	f.form = s.form
	return nil
}
