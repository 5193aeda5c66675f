package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxIndex is the largest index of shards, bytes: ten thousand tensors take one
// million.
const maxIndex = 16 << 20

// inFolder are the names that Hugging Face gives to the files of a model.
var inFolder = []string{"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"}

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
	if f.size > maxIndex {
		return fmt.Errorf("not an index of weights: %d bytes, the limit is %d", f.size, maxIndex)
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.NewDecoder(io.NewSectionReader(r, 0, f.size)).Decode(&index); err != nil {
		return fmt.Errorf("not an index of weights: %w", err)
	}
	if len(index.WeightMap) == 0 {
		return errors.New("not an index of weights: it has no weight_map, which says in what file each tensor is")
	}
	shards := map[string][]string{} // names of tensors by file
	for _, name := range sortedKeys(index.WeightMap) {
		shards[index.WeightMap[name]] = append(shards[index.WeightMap[name]], name)
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
	if err := s.readFrom(file); err != nil {
		return err
	}
	for _, name := range names {
		i, ok := s.index[name]
		if !ok {
			return fmt.Errorf("tensor %q is not in it, as the index says", name)
		}
		f.tensors = append(f.tensors, s.tensors[i])
	}
	f.form, f.files = s.form, append(f.files, s.files...)
	return nil
}
