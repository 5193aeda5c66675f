package datasets

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"t2sda/internal/atomicfile"
	"t2sda/internal/parallel"
	"t2sda/internal/raster"
	"t2sda/internal/realpath"
)

// ConvertOptions says where [Dataset.Convert] writes, and how.
type ConvertOptions struct {
	Out       string                // folder, made if it is not there; not among the data set's own files
	Workers   int                   // goroutines; 0: one per core
	KeepGoing bool                  // leave out labels that cannot be converted; see also Options.KeepGoing
	Progress  func(done, total int) // after each label, from one goroutine at a time; may be nil
}

// Conversion is what [Dataset.Convert] did.
type Conversion struct {
	Written int      // label files
	Map     string   // file of the label map that reads them
	Skipped []string // with KeepGoing: a line for each label left out, for each image without one, and for what Open left out
}

// convertedMap is the label map beside what was converted.
const convertedMap = "trainids.yaml"

// Convert writes the labels as train ids for other tools: 8-bit gray PNG files
// in which 255 is void, in the data set's own tree of folders and under its own
// file names below Out, except that labelIds of Cityscapes become labelTrainIds.
// Beside them goes trainids.yaml, the label map that reads them. Files appear
// whole or not at all; those of an earlier conversion are replaced, but nothing
// is ever written into the data set's own folders or over its files. Errors name the file.
func (d *Dataset) Convert(ctx context.Context, o ConvertOptions) (Conversion, error) {
	var c Conversion
	if d.labels == nil {
		return c, fmt.Errorf("datasets: convert: %s has no label map", d.opts.Root)
	}
	names, err := d.converted(o.Out)
	if err != nil {
		return c, err
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return c, fmt.Errorf("datasets: convert: %w", err)
	}
	_ = atomicfile.RemoveLeftoversBeside(names...) // what stays costs space only
	skipped := make([]error, d.Len())
	first := firstOf(names) // images may share a label
	err = parallel.ForEach(ctx, o.Workers, d.Len(), []func(done, total int){o.Progress}, func(i int) error {
		if first[names[i]] != i {
			return nil
		}
		l, err := d.LoadLabels(ctx, i)
		if err != nil {
			if o.KeepGoing && ctx.Err() == nil {
				skipped[i], err = err, nil
			}
			return err
		}
		return writeLabels(names[i], l)
	})
	if err != nil {
		return c, err
	}
	for _, err := range skipped {
		if err != nil {
			c.Skipped = append(c.Skipped, detail(err))
		}
	}
	c.Written = len(first) - len(c.Skipped)
	for _, err := range d.LeftOut() {
		c.Skipped = append(c.Skipped, detail(err))
	}
	c.Map = filepath.Join(o.Out, convertedMap)
	return c, d.writeMap(c.Map)
}

// firstOf returns where each name comes first.
func firstOf(names []string) map[string]int {
	first := make(map[string]int, len(names))
	for i, name := range names {
		if _, known := first[name]; !known {
			first[name] = i
		}
	}
	return first
}

func writeLabels(name string, l *raster.Labels) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("datasets: convert: %w", err)
	}
	// Half of the time of the default level, for files an eighth larger.
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	return atomicfile.WriteUnsynced(name, func(w io.Writer) error { return encoder.Encode(w, l.Gray()) })
}

// converted returns the names to write. It is an error when writing one of them would make or change a
// file in the data set's own folders, or one of its files that lie elsewhere, symbolic links resolved.
func (d *Dataset) converted(out string) ([]string, error) {
	if out == "" {
		return nil, errors.New("datasets: convert: no folder to write to")
	}
	folders, err := d.ownFolders()
	if err != nil {
		return nil, err
	}
	own := realpath.Spared{Folders: folders}
	for _, it := range d.items {
		own.Files.Add(it.Image)
		own.Files.Add(it.Label)
	}
	own.Files.Add(d.opts.Map) // if it is a file
	var names []string
	for _, it := range d.items {
		names = append(names, filepath.Join(out, d.convertedName(it)))
	}
	for _, name := range append(slices.Clip(names), filepath.Join(out, convertedMap)) {
		folder, file, err := own.Meets(name)
		switch {
		case err != nil:
			return nil, fmt.Errorf("datasets: convert: %w", err)
		case folder != "":
			return nil, fmt.Errorf("datasets: convert: %s would be written into the data set's own folder %s: choose another folder to write to", name, folder)
		case file != "":
			return nil, fmt.Errorf("datasets: convert: %s is the data set's own file %s: choose another folder to write to", name, file)
		}
	}
	return names, nil
}

// convertedName returns the label's path below the root with the suffix for
// train ids; labels that lie elsewhere go by the image's ID.
func (d *Dataset) convertedName(it Item) string {
	rel, ok := d.opts.at().Below(d.opts.Root, it.Label)
	rel = filepath.FromSlash(rel)
	if !ok || it.Label == "" {
		rel = filepath.Join("labels", d.opts.Split, filepath.FromSlash(it.ID)+".png")
	}
	rel = strings.TrimSuffix(rel, filepath.Ext(rel)) + ".png"
	for _, k := range d.layout.Kinds {
		if stem, ok := strings.CutSuffix(rel, k.Suffix+".png"); ok && k.Converted != "" {
			return stem + k.Converted + ".png"
		}
	}
	return rel
}

// ownFolders returns the real paths of the image and label folders.
func (d *Dataset) ownFolders() ([]string, error) {
	o := d.opts
	images, _, err := folders(o, o.Split, o.Images, d.layout.Images)
	if err != nil {
		return nil, err
	}
	labels, _, err := folders(o, o.Split, o.Labels, d.layout.Labels)
	if err != nil {
		return nil, err
	}
	var own []string
	for _, f := range append(images, labels...) {
		real, err := realpath.Of(f.dir)
		if err != nil {
			return nil, fmt.Errorf("datasets: %w", err)
		}
		own = append(own, real)
	}
	return own, nil
}

// writeMap writes the label map of the train ids.
func (d *Dataset) writeMap(name string) error {
	type class struct {
		Name  string `yaml:"name"`
		Color []int  `yaml:"color,flow"`
		IDs   []int  `yaml:"ids,flow"`
	}
	file := struct {
		Name    string  `yaml:"name"`
		Classes []class `yaml:"classes"`
		Ignore  []int   `yaml:"ignore,flow"`
	}{Name: d.labels.space.Name, Ignore: []int{255}}
	for id, c := range d.labels.space.Classes {
		file.Classes = append(file.Classes, class{c.Name, []int{int(c.Color[0]), int(c.Color[1]), int(c.Color[2])}, []int{id}})
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		return fmt.Errorf("datasets: convert: %w", err)
	}
	return atomicfile.Write(name, text)
}
