package predict

import (
	"context"
	"fmt"
	"image"
	_ "image/jpeg" // registers the decoder
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"t2sda/datasets"
	"t2sda/internal/raster"
)

// FileOptions of [Files].
type FileOptions struct {
	Format string // one of [Formats]; empty: overlay
	// Map gives the ids of FormatLabelIDs: per class the smallest id that the map
	// takes to it. Its classes must be the model's. Nil: the built-in Cityscapes
	// map.
	Map *datasets.LabelMap
	// Progress is called after every image, never by two goroutines at once.
	Progress func(done, total int)
}

// Files predicts image files, and all PNG and JPEG files below folders,
// and writes one PNG each into outDir: the file's name with the extension .png,
// below a folder with its path inside of it. The paths written are returned in
// order. It is an error, before anything is predicted, when two images would
// become one file, when an image would be overwritten, or when there are none.
func Files(ctx context.Context, p *Predictor, paths []string, outDir string, o FileOptions) ([]string, error) {
	render, err := NewRenderer(o.Format, p.Space(), o.Map)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	inputs, outputs, err := planFiles(paths, outDir)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2) // one decodes or encodes while the other one's session runs
	var mu sync.Mutex
	done := 0
	for i, input := range inputs {
		group.Go(func() error {
			if err := p.predictFile(ctx, input, outputs[i], render); err != nil {
				return fmt.Errorf("predict %s: %w", input, err)
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			if o.Progress != nil {
				o.Progress(done, len(inputs))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return outputs, nil
}

func (p *Predictor) predictFile(ctx context.Context, input, output string, render Renderer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := os.Open(input)
	if err != nil {
		return err
	}
	defer f.Close()
	decoded, _, err := image.Decode(f)
	if err != nil {
		return fmt.Errorf("it cannot be decoded as PNG or JPEG: %w", err)
	}
	img := raster.FromImage(decoded)
	labels, err := p.Predict(ctx, img)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	return raster.WritePNG(output, render(img, labels))
}

// planFiles lists the images and the files they become, in order.
func planFiles(paths []string, outDir string) (inputs, outputs []string, err error) {
	from := map[string]string{} // output → input
	add := func(input, name string) error {
		output := filepath.Join(outDir, strings.TrimSuffix(name, filepath.Ext(name))+".png")
		if other, taken := from[output]; taken {
			return fmt.Errorf("%s and %s would both become %s", other, input, output)
		}
		from[output] = input
		inputs, outputs = append(inputs, input), append(outputs, output)
		return nil
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, nil, err
		}
		if !info.IsDir() {
			if err := add(path, filepath.Base(path)); err != nil {
				return nil, nil, err
			}
			continue
		}
		err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !isImage(file) {
				return err
			}
			name, err := filepath.Rel(path, file)
			if err != nil {
				return err
			}
			return add(file, name)
		})
		if err != nil {
			return nil, nil, err
		}
	}
	if len(inputs) == 0 {
		return nil, nil, fmt.Errorf("no PNG or JPEG files in %s", strings.Join(paths, ", "))
	}
	return inputs, outputs, checkOverwrite(inputs, outputs)
}

// checkOverwrite returns an error when an output is one of the inputs.
func checkOverwrite(inputs, outputs []string) error {
	existing := make([]os.FileInfo, 0, len(inputs))
	for _, input := range inputs {
		if info, err := os.Stat(input); err == nil {
			existing = append(existing, info)
		}
	}
	for _, output := range outputs {
		info, err := os.Stat(output)
		if err == nil && slices.ContainsFunc(existing, func(i os.FileInfo) bool { return os.SameFile(i, info) }) {
			return fmt.Errorf("%s is one of the images: choose another output folder", output)
		}
	}
	return nil
}

func isImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".jpg", ".jpeg":
		return true
	}
	return false
}
