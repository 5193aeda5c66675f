package reel

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/internal/ffmpeg"
	"t2sda/internal/npy"
)

// What becomes of predictions, beside the pictures of [predict.Formats].
const (
	FormatConfidence    = "confidence"    // 8-bit gray PNG: 255 times the label's probability
	FormatProbabilities = "probabilities" // an array [classes,height,width] for NumPy
	FormatRLE           = "rle"           // COCO's JSON: a compressed mask for each class
	FormatPanoptic      = "panoptic"      // COCO's panoptic JSON, and PNGs of segment ids
	FormatVideo         = "video"         // overlays as MP4
)

// Formats lists all of them.
func Formats() []string {
	return append(predict.Formats(), FormatConfidence, FormatProbabilities, FormatRLE, FormatPanoptic, FormatVideo)
}

// Options of [Run].
type Options struct {
	Formats []string // of [Formats]; none: overlay
	Overlay Overlay
	// Map gives the ids of FormatLabelIDs, see [predict.NewRenderer].
	Map *datasets.LabelMap
	// Categories gives those of COCO's categories; nil: train ids plus 1.
	Categories *datasets.LabelMap

	Archive bool     // probabilities go into compressed .npz archives, not .npy files
	Type    npy.Type // of probabilities; empty: float32

	FPS     float64 // of a video that is made of images; 0: 25
	Encoder string  // of videos, as ffmpeg calls it; empty: [ffmpeg.Encoder]

	Batch   int // frames of one size that share a run of the model; 0: 1
	Workers int // frames that are read, and written, at once; 0: one per core, 4 at most
	Force   bool
	// KeepGoing leaves out frames that cannot be read, or are not there, instead of
	// stopping at the first. A failing model stops all the same.
	KeepGoing bool

	// Stdin is read where - stands among the paths: an image, or paths, one a line (or with
	// zero bytes between them); nil: - is a file's name.
	Stdin io.Reader
	// Include and Exclude choose among the images below folders, see
	// [datasets.Options].
	Include, Exclude []string
	// Dataset is predicted in place of paths: its images, whatever else lies beside
	// them.
	Dataset *datasets.Dataset
	// Passed is told, before anything is predicted, of the files below folders that
	// are no images by their names; may be nil.
	Passed func(files []string)
	// Progress is called after every frame, never by two goroutines at once. The total is 0
	// where it is not known.
	Progress func(done, total int)
}

// complete checks the options and fills in what they leave open.
func (o *Options) complete() error {
	if len(o.Formats) == 0 {
		o.Formats = []string{predict.FormatOverlay}
	}
	for i, f := range o.Formats {
		if !slices.Contains(Formats(), f) {
			return fmt.Errorf("format %q is none of %s", f, strings.Join(Formats(), ", "))
		}
		if slices.Contains(o.Formats[:i], f) {
			return fmt.Errorf("format %s is given twice", f)
		}
	}
	switch {
	case o.Batch < 0:
		return errors.New("a batch of less than one image")
	case o.Workers < 0:
		return errors.New("less than one worker")
	case !(o.FPS >= 0 && o.FPS <= 1000):
		return fmt.Errorf("%v frames a second: want more than 0, 1000 at most", o.FPS)
	}
	o.Batch = max(o.Batch, 1)
	if o.FPS == 0 {
		o.FPS = 25
	}
	if o.Type == "" {
		o.Type = npy.Float32
	}
	if o.Encoder == "" {
		o.Encoder = ffmpeg.Encoder
	}
	return o.Overlay.validate()
}

// wants reports whether one of the formats is asked for.
func (o *Options) wants(format string) bool { return slices.Contains(o.Formats, format) }
