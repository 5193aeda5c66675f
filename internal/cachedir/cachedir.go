// Package cachedir makes the folders of caches whose entries are files named by digests.
package cachedir

import (
	"fmt"
	"os"
	"path/filepath"

	"t2sda/internal/atomicfile"
)

// Open makes a cache's folder, with the mark that backup programs look for
// (bford.info/cachedir), and proves that it can be written to; what killed processes have
// left of entries goes. The mark tells people what the folder holds, as in "images decoded".
func Open(dir, holds string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	folders, _ := filepath.Glob(filepath.Join(dir, "??"))   // fails for bad patterns only
	_ = atomicfile.RemoveLeftovers(append(folders, dir)...) // first: they may be what fills the disk
	tag := fmt.Sprintf("Signature: 8a477f597d28d172789f06886806bc55\n# %s by t2sda; may be deleted at any time.\n", holds)
	return atomicfile.Write(filepath.Join(dir, "CACHEDIR.TAG"), []byte(tag))
}

// Entry is the file of an entry, in one of as many folders as the digest's first two
// characters have values: none then holds more than some hundred of them.
func Entry(dir, digest string) string { return filepath.Join(dir, digest[:2], digest[2:]) }
