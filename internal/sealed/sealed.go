// Package sealed keeps values in JSON files that carry their own digest: what is read is
// what was written, or an error.
package sealed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"t2sda/internal/atomicfile"
	"t2sda/internal/sha256sum"
)

// file is the whole file: SHA256 is that of the bytes of Value as they stand there.
type file struct {
	SHA256 string          `json:"sha256"`
	Value  json.RawMessage `json:"value"`
}

// ErrChanged is the error of a file that is not what was written.
var ErrChanged = errors.New("it is not what was written: damaged, or changed by hand")

// Write writes the value to path in one step, and makes its folder if need be.
func Write(path string, value any) error {
	text, err := json.Marshal(value)
	if err == nil {
		text, err = json.Marshal(file{sha256sum.Of(text), text})
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return atomicfile.Write(path, append(text, '\n'))
}

// Read reads what [Write] wrote into value, which it touches only if all is well. A file
// that has changed gives [ErrChanged]. Errors name the file.
func Read(path string, value any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.SHA256 != sha256sum.Of(f.Value) {
		return fmt.Errorf("%s: %w", path, ErrChanged)
	}
	if err := json.Unmarshal(f.Value, value); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
