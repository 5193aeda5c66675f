package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"t2sda/graphs/engine"
	"t2sda/internal/limit"
	"t2sda/internal/usercache"
	"t2sda/orchestrator"
)

// What a process that has tried a model prints at its end: that it has, whether ONNX
// Runtime took the model or not, or that the machine's memory did not do for it.
const (
	tried   = "tried"
	tooMuch = "too much memory"
)

// tryTime is how long a trial, one run on a small image, may take.
const tryTime = 5 * time.Minute

// vet returns what tries model files in a process of its own before this one
// opens them ([engine.Options.Vet]): ONNX Runtime aborts its process over some
// malformed graphs, which no check of the graph can foresee. Models that this
// program made are known by their digest, those of earlier tries by a file in the
// user's cache. Whether ONNX Runtime takes a model is left to the opening. A model that
// has changed since this program wrote it is refused, or warned of, see
// [orchestrator.CheckModel]. Ranks open and try on devices of their own.
func vet(cmd *cobra.Command, o engine.Options) func(path string, model []byte, device string) error {
	return func(path string, model []byte, device string) error {
		intact, changed, err := orchestrator.CheckModel(path, model)
		if err != nil {
			return err
		}
		if changed != nil {
			warnings(cmd)(fmt.Errorf("%s: %w", path, changed))
		}
		if intact {
			return nil
		}
		known := knownModel(model, device)
		if _, err := os.Stat(known); err == nil {
			return nil
		}
		if err := try(cmd.Context(), o, device, path); err != nil {
			return err
		}
		if known != "" { // only a memory: without it the next opening tries again
			_ = os.MkdirAll(filepath.Dir(known), 0o755)
			_ = os.WriteFile(known, nil, 0o644)
		}
		return nil
	}
}

// knownModel is the file that remembers a model that was tried, "" where there is
// no cache.
func knownModel(model []byte, device string) string {
	dir, err := usercache.Dir("models")
	if err != nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintln(h, engine.Version, device) // never fails
	h.Write(model)
	return filepath.Join(dir, hex.EncodeToString(h.Sum(nil)[:16]))
}

// try opens and runs the model in a process of its own. A process that cannot be
// started tells nothing of the model.
func try(ctx context.Context, o engine.Options, device, path string) error {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	cmd := exec.CommandContext(limited, self, "runtime", "try",
		"--library="+o.Library, "--device="+device, "--threads="+strconv.Itoa(o.IntraOpThreads), "--", path)
	cmd.Env = append(os.Environ(), "GOTRACEBACK=none") // the runtime's last words, not ours
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("one run of this model, as a trial, did not end within %v", tryTime)
	case strings.Contains(out.String(), tooMuch):
		return errors.New("one run of this model, as a trial, needs more memory than this machine has")
	case strings.Contains(out.String(), tried), cmd.ProcessState == nil:
		return nil
	}
	return fmt.Errorf("ONNX Runtime aborts over this model, which is malformed or damaged: %s. Export it anew, or see what onnx.checker says", lastWords(errs.String(), err))
}

// lastWords is what a dying process said last: in front of Go's own report of the
// signal, or else how it ended.
func lastWords(text string, ended error) string {
	const most = 400
	lines := strings.Split(text, "\n")
	if i := slices.IndexFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "SIG") || strings.HasPrefix(l, "fatal error") || strings.HasPrefix(l, "panic:")
	}); i >= 0 {
		lines = lines[:i]
	}
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.TrimSpace(l) == "" })
	if len(lines) == 0 {
		return ended.Error()
	}
	last := []rune(strings.TrimSpace(lines[len(lines)-1]))
	if len(last) > most {
		last = append([]rune("…"), last[len(last)-most:]...)
	}
	return strconv.Quote(string(last))
}

// tryCommand is the process that [try] starts.
func tryCommand() *cobra.Command {
	var device engineFlags
	cmd := &cobra.Command{
		Use:    "try MODEL",
		Short:  "Open a model file and run it once, to see whether ONNX Runtime survives it",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			e, err := engine.Open(device.options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.Close()) }()
			if err := boundMemory(e.Info().Device); err != nil {
				return err
			}
			refused := tryModel(cmd.Context(), e, args[0])
			if engine.OutOfMemory(refused) {
				fmt.Fprintln(cmd.OutOrStdout(), tooMuch)
				return refused
			}
			fmt.Fprintln(cmd.OutOrStdout(), tried)
			return refused
		},
	}
	device.add(cmd)
	return cmd
}

// tryModel opens the model and runs it on zeros.
func tryModel(ctx context.Context, e *engine.Engine, path string) (err error) {
	s, err := e.OpenModel(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	inputs := map[string]*engine.Tensor{}
	for _, info := range s.Inputs() {
		if huge(trySize(info)) {
			return nil // whoever opens it refuses it by its size
		}
		if inputs[info.Name], err = engine.NewTensorOf(info.DType, trySize(info)); err != nil {
			return err
		}
	}
	_, err = s.Run(ctx, inputs)
	return err
}

// huge reports whether an input is beyond all images that are taken.
func huge(dims []int) bool {
	pixels := 1.0 / 3 // of three channels
	for _, d := range dims {
		pixels *= float64(d)
	}
	return pixels > math.MaxInt32 || limit.Check(int(pixels), 1) != nil
}

// trySize chooses free dimensions: one image of 64 pixels, a multiple of the
// strides of most networks.
func trySize(info engine.IOInfo) []int {
	dims := slices.Clone(info.Dims)
	if info.Unranked {
		dims = []int{1, 3, -1, -1}
	}
	for i, n := range dims {
		switch {
		case n < 0 && i == 0 && len(dims) == 4:
			dims[i] = 1
		case n < 0:
			dims[i] = 64
		}
	}
	return dims
}
