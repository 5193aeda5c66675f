package orchestrator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/configs"
	"t2sda/internal/plural"
)

// verifyRounds looks at the labels of rounds within which checkpoints of these iterations are.
// Those of a finished run may have been removed, also where it is being extended.
func verifyRounds(dir string, cfg configs.Config, iterations []int) (all []Finding) {
	starts := cfg.RoundStarts()
	ends, finished := cfg.Train.Extended, exists(filepath.Join(dir, resultFile))
	var seen []int
	for _, n := range iterations {
		start := roundOf(starts, n)
		if start < 0 || start == n || slices.Contains(seen, start) {
			continue // what begins there is made again
		}
		path := roundPath(dir, start)
		detail, err := verifyRound(path)
		if errors.Is(err, fs.ErrNotExist) && (finished || len(ends) > 0 && n <= ends[len(ends)-1]) {
			continue
		}
		seen = append(seen, start)
		all = append(all, found(path, "labels", detail, err))
	}
	return all
}

// verifyRound reads all of a round's labels.
func verifyRound(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	s, err := readRound(dir)
	if err == nil && !s.Whole {
		err = fmt.Errorf("%s does not say that the round is whole", roundFile)
	}
	errs, files := []error{err}, 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), softSuffix) {
			continue
		}
		files++
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err == nil && !softIntact(data) {
			err = fmt.Errorf("%s: %w", e.Name(), errSoftDamaged)
		}
		errs = append(errs, err)
	}
	if want := s.Images - len(s.PassedOver); s.Whole && files != want {
		errs = append(errs, fmt.Errorf("there are labels of %s, not of %d", plural.Of(files, "image", "images"), want))
	}
	return plural.Of(files, "image", "images"), errors.Join(errs...)
}
