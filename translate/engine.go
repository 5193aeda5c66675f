package translate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"t2sda/internal/raster"
	"t2sda/internal/translator"
)

// Engine gives a source image the target domain's appearance. The target may be
// nil for engines that do not look at it (all but FDA).
type Engine = translator.Translator

// Engine names that [New] knows.
const (
	EngineNone    = "none"
	EngineFDA     = "fda"
	EngineJitter  = "jitter"
	EngineBlur    = "blur"
	EngineFolder  = "folder"
	EngineCamera  = "camera"
	EngineWeather = "weather"
	EngineCartoon = "cartoon"
)

// Names lists the engines that [New] can build, in alphabetical order.
func Names() []string {
	return []string{EngineBlur, EngineCamera, EngineCartoon, EngineFDA, EngineFolder, EngineJitter, EngineNone, EngineWeather}
}

// Options selects an engine and holds the parameters of all of them; those of
// the other engines are ignored. Start from [DefaultOptions]: the zero value
// of a parameter is a value, not a request for the default.
type Options struct {
	Engine string // one of Names()

	Band       float64 // FDA: L, half width of the window as a share of the image side, [0, 0.5)
	Box        string  // FDA: BoxMin or BoxAxes
	Asymmetric bool    // FDA: the 2b×2b box of the public code
	Clip       bool    // FDA: clip the result to 0–255
	Workers    int     // FDA: goroutines per image; 0 and 1: the calling one only

	Jitter  ColorJitter  // jitter
	Blur    GaussianBlur // blur
	Folder  string       // folder: root of the translated images
	Weather Weather      // weather

	Model  *CameraModel  // camera: from FitCamera
	Camera CameraOptions // camera
}

// DefaultOptions returns FDA at L = 0.01 with clipping on the calling
// goroutine, and SimCLR's numbers for jitter and blur.
func DefaultOptions() Options {
	return Options{
		Engine:  EngineFDA,
		Band:    0.01,
		Box:     BoxMin,
		Clip:    true,
		Jitter:  SimCLRJitter(1),
		Blur:    SimCLRBlur(),
		Camera:  DefaultCameraOptions(),
		Weather: AllWeather(),
	}
}

// New builds the engine that o names. The error names the field that is
// wrong; for an unknown engine it lists those that exist.
func New(o Options) (Engine, error) {
	switch o.Engine {
	case EngineNone:
		return None{}, nil
	case EngineFDA:
		f := &FDA{Band: o.Band, Box: o.Box, Asymmetric: o.Asymmetric, Clip: o.Clip, Workers: o.Workers}
		return built(f, f.Validate())
	case EngineJitter:
		return built(o.Jitter, o.Jitter.Validate())
	case EngineBlur:
		return built(o.Blur, o.Blur.Validate())
	case EngineCamera:
		c, err := NewCamera(o.Model, o.Camera)
		return built(c, err)
	case EngineCartoon:
		return Cartoon{}, nil
	case EngineWeather:
		return built(o.Weather, o.Weather.Validate())
	case EngineFolder:
		f := Folder{Root: o.Folder}
		return built(f, f.Validate())
	}
	return nil, fmt.Errorf("translate: engine: %q is unknown; there are %s", o.Engine, strings.Join(Names(), ", "))
}

func built(e Engine, err error) (Engine, error) {
	if err != nil {
		return nil, err
	}
	return e, nil
}

// None is the engine that leaves images as they are.
type None struct{}

// Translate returns a copy of source.
func (None) Translate(_ *rand.Rand, source, _ *raster.Image) (*raster.Image, error) {
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	return source.Clone(), nil
}

// checkImage returns an error that names what is wrong with the image.
func checkImage(what string, m *raster.Image) error {
	switch {
	case m == nil:
		return fmt.Errorf("translate: %s image is missing", what)
	case m.W < 1 || m.H < 1:
		return fmt.Errorf("translate: %s image is empty (%d×%d)", what, m.W, m.H)
	case len(m.Pix) != 3*m.W*m.H:
		return fmt.Errorf("translate: %s image of %d×%d holds %d values instead of %d", what, m.W, m.H, len(m.Pix), 3*m.W*m.H)
	}
	return nil
}

// checkLabels is checkImage for label maps.
func checkLabels(what string, l *raster.Labels) error {
	switch {
	case l == nil:
		return fmt.Errorf("translate: %s labels are missing", what)
	case len(l.Pix) != l.W*l.H:
		return fmt.Errorf("translate: %s labels of %d×%d hold %d values instead of %d", what, l.W, l.H, len(l.Pix), l.W*l.H)
	}
	return nil
}

// share returns an error unless lo ≤ v ≤ hi (NaN fails).
func share(field string, v, lo, hi float64) error {
	if v >= lo && v <= hi {
		return nil
	}
	return fmt.Errorf("translate: %s: %v is outside of [%v, %v]", field, v, lo, hi)
}

// oneOf returns an error unless v is one of the choices.
func oneOf(field, v string, choices ...string) error {
	if slices.Contains(choices, v) {
		return nil
	}
	return fmt.Errorf("translate: %s: %q is unknown; there are %s", field, v, strings.Join(choices, ", "))
}

// errNoName is what a named engine answers to Translate.
var errNoName = errors.New("translate: engine folder finds images by name: call TranslateNamed")
