package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/internal/imagefile"
)

// Splits returns the splits of a data set in lexical order: the names of the
// folders in the place of {split} in its layout's image folder (or in
// Options.Images); Options.Split is not looked at. Folders there that hold no
// image of the layout's (or Options') suffix, or none that Options.Include and
// Exclude leave, are returned apart, unless none holds any. There are no splits in layouts without
// them and where images lie directly in that place: [Open] then takes them with an empty split.
func Splits(ctx context.Context, o Options) (splits, without []string, err error) {
	l, err := findLayout(o.Layout)
	if err != nil {
		return nil, nil, err
	}
	if shardSplits, ok, err := o.shardSplits(ctx); ok || err != nil {
		return shardSplits, nil, err
	}
	if o, err = o.located(ctx, ignore); err != nil {
		return nil, nil, err
	}
	templates := l.Images
	if o.Images != "" {
		templates = []string{filepath.ToSlash(o.Images)}
	}
	for _, t := range templates {
		names, err := splitNames(o, l, t)
		if err != nil {
			return nil, nil, err
		}
		if len(names) > 0 {
			splits, without = withImages(o, l, names)
			return splits, without, nil
		}
	}
	return nil, nil, nil
}

// withImages parts the splits that hold images from the others.
func withImages(o Options, l layout, names []string) (with, without []string) {
	end := o.imageSuffix(l)
	for _, name := range names {
		dirs, _, err := folders(o, name, o.Images, l.Images)
		if err != nil || holdsImage(o.at(), dirs, end, func(f file) bool { return chosenBy(o.Include, o.Exclude, f) }) {
			with = append(with, name) // what is wrong with a folder is said when it is opened
		} else {
			without = append(without, name)
		}
	}
	if with == nil {
		return names, nil
	}
	return with, without
}

// holdsImage reports whether there is an image with the suffix in the folders that
// is chosen.
func holdsImage(at place, dirs []folder, end suffix, chosen func(file) bool) bool {
	enough := errors.New("one is enough")
	for _, dir := range dirs {
		err := fs.WalkDir(below{at, dir.dir}, ".", func(name string, e fs.DirEntry, err error) error {
			switch base := path.Base(name); {
			case err != nil:
				return nil // said when the folder is opened
			case name != "." && strings.HasPrefix(base, "."):
				if e.IsDir() {
					return fs.SkipDir
				}
				return nil
			case e.Type()&fs.ModeSymlink != 0 && !imagefile.IsImage(base):
				return enough // perhaps a folder: for Open to say
			case e.IsDir() || !imagefile.IsImage(base):
				return nil
			}
			if with, _ := end.cutAll([]file{{rel: path.Join(dir.prefix, name)}}); len(with) > 0 && chosen(with[0]) {
				return enough
			}
			return nil
		})
		if err != nil {
			return true
		}
	}
	return false
}

// splitNames returns what stands for {split} in the folders that a template
// names; none when there are images in its place.
func splitNames(o Options, l layout, template string) ([]string, error) {
	before, after, ok := strings.Cut(template, "{split}")
	if !ok {
		return nil, nil
	}
	dir, start := path.Split(before) // of the element that holds {split}
	end, _, more := strings.Cut(after, "/")
	at := []folder{{dir: o.Root}}
	if dir != "" {
		var err error
		if at, _, err = folders(o, "", dir, nil); err != nil {
			return nil, err
		}
	}
	var names []string
	for _, f := range at {
		entries, err := o.at().ReadDir(f.dir)
		if err != nil {
			return nil, fmt.Errorf("datasets: %w", err)
		}
		for _, e := range entries {
			if start == "" && end == "" && !more && imagefile.IsImage(e.Name()) && !strings.HasPrefix(e.Name(), ".") {
				return nil, nil
			}
			name, ok := strings.CutPrefix(e.Name(), start)
			if ok {
				name, ok = strings.CutSuffix(name, end)
			}
			if !ok || name == "" || strings.HasPrefix(e.Name(), ".") || slices.Contains(names, name) {
				continue
			}
			if ok, err := isSplit(o, l, template, name); err != nil && path.Ext(name) == "" {
				return nil, err
			} else if ok {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// isSplit reports whether a name stands for {split}. Where any folder of the root
// might, a split has labels as well.
func isSplit(o Options, l layout, template, name string) (bool, error) {
	dirs, _, err := folders(o, name, template, nil)
	if err == nil && len(dirs) > 0 && template == "{split}" {
		dirs, _, err = folders(o, name, o.Labels, l.Labels)
	}
	return len(dirs) > 0, err
}
