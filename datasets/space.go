package datasets

import (
	"embed"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path"
	"slices"
	"strings"

	"t2sda/internal/raster"
)

//go:embed data
var embedded embed.FS

// Class is one class of a label space.
type Class struct {
	Name  string   `json:"name"`
	Color [3]uint8 `json:"color"` // RGB, for pictures
}

// Space is an ordered list of classes; a train id is an index into it.
type Space struct {
	Name    string  `json:"name"`
	Classes []Class `json:"classes"`
}

// Cityscapes19 returns the 19 evaluated classes of Cityscapes with the
// official palette.
func Cityscapes19() Space {
	s, err := loadSpace("cityscapes")
	if err != nil {
		panic(err) // embedded data, covered by tests
	}
	return s
}

// loadSpace returns a class list: a built-in one by name, or that of a YAML file
// (anything with a slash, .yaml or .yml). A label map's file serves as well: its ids
// are not looked at.
func loadSpace(nameOrFile string) (Space, error) {
	m, err := loadYAML("spaces", "class list", nameOrFile)
	if err != nil {
		return Space{}, err
	}
	if m.file.Space != "" {
		if m, err = m.parent(); err != nil {
			return Space{}, err
		}
	}
	return m.ownSpace()
}

// embeddedNames lists data/<folder>/*.yaml without the extension.
func embeddedNames(folder string) []string {
	entries, err := embedded.ReadDir("data/" + folder)
	if err != nil {
		panic(err) // embedded data
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	slices.Sort(names)
	return names
}

// readEmbedded returns a built-in file by name, or a user's file.
func readEmbedded(folder, what, nameOrFile string) ([]byte, error) {
	if isFile(nameOrFile) {
		data, err := os.ReadFile(nameOrFile)
		if err != nil {
			return nil, fmt.Errorf("datasets: %s: %w", what, err)
		}
		return data, nil
	}
	data, err := embedded.ReadFile(path.Join("data", folder, nameOrFile+".yaml"))
	if nameOrFile == "" || err != nil {
		return nil, fmt.Errorf("datasets: unknown %s %q (built in: %s; or a .yaml file)",
			what, nameOrFile, strings.Join(embeddedNames(folder), ", "))
	}
	return data, nil
}

func isFile(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return strings.ContainsAny(name, `/\`) || ext == ".yaml" || ext == ".yml"
}

// Names returns the classes' names in train-id order.
func (s Space) Names() []string {
	names := make([]string, len(s.Classes))
	for i, c := range s.Classes {
		names[i] = c.Name
	}
	return names
}

// Index returns the train id of the class of that name, or -1.
func (s Space) Index(name string) int {
	return slices.IndexFunc(s.Classes, func(c Class) bool { return c.Name == name })
}

// Equal reports whether both spaces have the same classes in the same order;
// colours and the space's name do not matter.
func (s Space) Equal(o Space) bool { return slices.Equal(s.Names(), o.Names()) }

// Validate returns an error unless there are 1 to 255 classes with distinct,
// non-empty names.
func (s Space) Validate() error {
	if len(s.Classes) == 0 {
		return errors.New("no classes")
	}
	if len(s.Classes) > raster.Void {
		return fmt.Errorf("%d classes; train ids are 8-bit and %d is void, so at most %d fit", len(s.Classes), raster.Void, raster.Void)
	}
	seen := make(map[string]int, len(s.Classes))
	for i, c := range s.Classes {
		if c.Name == "" {
			return fmt.Errorf("class %d has no name", i)
		}
		if j, ok := seen[c.Name]; ok {
			return fmt.Errorf("classes %d and %d are both named %q", j, i, c.Name)
		}
		seen[c.Name] = i
	}
	return nil
}

// Colorize renders labels in the classes' colours; void, and ids outside of
// the space, are black.
func (s Space) Colorize(l *raster.Labels) *image.NRGBA {
	var table [256][4]uint8
	for i := range table {
		table[i][3] = 255
		if i < len(s.Classes) {
			copy(table[i][:3], s.Classes[i].Color[:])
		}
	}
	out := image.NewNRGBA(image.Rect(0, 0, l.W, l.H))
	for i, id := range l.Pix {
		copy(out.Pix[4*i:4*i+4], table[id][:])
	}
	return out
}

// Overlay renders the image with the labels' colours mixed in: alpha 0 is the
// image, 1 the colours. Void pixels show the image. Labels of another size
// than the image are sampled (nearest) to its size.
func (s Space) Overlay(img *raster.Image, l *raster.Labels, alpha float64) *image.NRGBA {
	out := img.NRGBA()
	s.Tint(out, l, alpha)
	return out
}

// Tint is [Space.Overlay] on a picture that is there, opaque.
func (s Space) Tint(picture *image.NRGBA, l *raster.Labels, alpha float64) {
	if w, h := picture.Rect.Dx(), picture.Rect.Dy(); l.W != w || l.H != h {
		l = l.ResizeNearest(w, h)
	}
	a := min(max(alpha, 0), 1)
	mixed := make([][3][256]uint8, len(s.Classes)) // by class, channel and value
	for k, class := range s.Classes {
		for c, colour := range class.Color {
			for v := range 256 {
				mixed[k][c][v] = uint8(math.Round((1-a)*float64(v) + a*float64(colour)))
			}
		}
	}
	for i, id := range l.Pix {
		if int(id) >= len(mixed) {
			continue
		}
		p, m := picture.Pix[4*i:4*i+3:4*i+3], &mixed[id]
		p[0], p[1], p[2] = m[0][p[0]], m[1][p[1]], m[2][p[2]]
	}
}

// distinctColor spreads the hues of classes that come without a colour by the
// golden angle, so that neighbouring ids differ clearly.
func distinctColor(i int) [3]uint8 {
	hue := math.Mod(float64(i)*0.618033988749895, 1) * 6
	value := 230 - 70*float64(i%3)
	channel := func(offset float64) uint8 {
		k := math.Mod(offset+hue, 6)
		return uint8(value - value*0.75*max(0, min(k, 4-k, 1)))
	}
	return [3]uint8{channel(5), channel(3), channel(1)}
}
