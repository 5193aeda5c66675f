package predict

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"t2sda/datasets"
	"t2sda/internal/interrupt"
	"t2sda/internal/raster"
)

// FileOptions of [Files].
type FileOptions struct {
	Format string // one of [Formats]; empty: overlay
	// Map gives the ids of FormatLabelIDs, see [NewRenderer].
	Map *datasets.LabelMap
	// KeepGoing leaves out images that cannot be read, or are not there, instead of
	// stopping at the first. A failing model stops all the same.
	KeepGoing bool
	// Names is read where - stands among the paths: paths, one a line (or with zero
	// bytes between them); nil: - is a file's name.
	Names io.Reader
	// Include and Exclude choose among the images below folders, see
	// [datasets.Options].
	Include, Exclude []string
	// Dataset is predicted in place of paths: its images, whatever else lies beside
	// them.
	Dataset *datasets.Dataset
	// Passed is told, before anything is predicted, of the files below folders that
	// are no images by their names; may be nil.
	Passed func(files []string)
	// Progress is called after every image, never by two goroutines at once.
	Progress func(done, total int)
}

// Files predicts image files, those that patterns name, and all images below
// folders, and writes one PNG each into outDir: the file's name with the extension
// .png, below a folder with its path inside of it. It returns the paths written, in order,
// and what KeepGoing left out. It is an error, before anything is predicted, when
// two images would become one file, when an image would be overwritten, or when
// there are none.
func Files(ctx context.Context, p *Predictor, paths []string, outDir string, o FileOptions) (written []string, skipped []error, err error) {
	render, err := NewRenderer(o.Format, p.Space(), o.Map)
	if err != nil {
		return nil, nil, fmt.Errorf("predict: %w", err)
	}
	found, err := o.find(paths)
	if err != nil {
		return nil, nil, fmt.Errorf("predict: %w", err)
	}
	inputs := found.files
	outputs, err := planFiles(found, outDir)
	if err != nil {
		return nil, nil, fmt.Errorf("predict: %w", err)
	}
	if o.Passed != nil {
		o.Passed(found.passed)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(3) // one decodes and one encodes while another one's session runs
	faults := make([]error, len(inputs))
	var session, report sync.Mutex
	done := 0
	for i, input := range inputs {
		group.Go(func() error {
			fault, err := p.predictFile(ctx, &session, input, outputs[i], render)
			if err == nil && !o.KeepGoing {
				err = fault
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("predict %s: %w", input, err)
			}
			faults[i] = fault
			report.Lock()
			defer report.Unlock()
			done++
			if o.Progress != nil {
				o.Progress(done, len(inputs))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, interrupt.Explain(err, "stopped with %d of %d pictures written to %s, each whole", done, len(inputs), outDir)
	}
	for i, fault := range faults {
		if fault != nil {
			skipped = append(skipped, fault)
		} else {
			written = append(written, outputs[i])
		}
	}
	return written, skipped, nil
}

// predictFile predicts one file. The session runs for one image at a time: it
// has threads of its own. A fault is the image's, an error anything else's.
func (p *Predictor) predictFile(ctx context.Context, session *sync.Mutex, input, output string, render Renderer) (fault, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	img, err := datasets.ReadImage(input)
	if err != nil {
		return err, nil
	}
	labels, err := p.predictAlone(ctx, session, img)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return nil, err
	}
	return nil, raster.WritePNG(output, render(img, labels))
}

func (p *Predictor) predictAlone(ctx context.Context, session *sync.Mutex, img *raster.Image) (*raster.Labels, error) {
	t := p.NewTask()
	defer t.Close()
	if err := t.Fill(img); err != nil {
		return nil, err
	}
	session.Lock()
	err := t.Run(ctx)
	session.Unlock()
	if err != nil {
		return nil, err
	}
	return t.Labels(img.W, img.H)
}

// planFiles names the files that the images become, in order.
func planFiles(in inputs, outDir string) (outputs []string, err error) {
	from := map[string]string{} // output → input
	for i, input := range in.files {
		output := filepath.Join(outDir, filepath.FromSlash(in.names[i])+".png")
		if other, taken := from[output]; taken {
			return nil, fmt.Errorf("%s and %s would both become %s: predict them into folders of their own", other, input, output)
		}
		from[output] = input
		outputs = append(outputs, output)
	}
	return outputs, checkOverwrite(in.files, outputs)
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
