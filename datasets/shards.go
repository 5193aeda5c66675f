package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/internal/catalog"
	"t2sda/internal/imagefile"
	"t2sda/internal/shards"
	"t2sda/internal/usercache"
)

// splitPlace stands for the split in a root.
const splitPlace = "{split}"

// named reports whether the root names shards, one or by a pattern.
func (o Options) named() bool {
	return strings.HasSuffix(o.Root, shards.Ext) && !isFolder(o.Root) || shards.Packed(o.Root)
}

// NamesShards reports whether a root names shards, one or by a pattern, and so is no
// folder.
func NamesShards(root string) bool { return Options{Root: root}.named() }

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// located returns the options with the tree that the root's shards hold, if it is
//
//   - the name of a shard, or a pattern of names (train-{000000..000099}.tar,
//     {split}-*.tar), or
//   - a folder with shards, and neither folders nor images beside them.
//
// Any other root is a folder of files. The shards' files are one tree, whichever of
// them they lie in; they are called by it: shards/train-000003.tar/city/0001.jpg. What
// is wrong with a shard is a problem; two images of one path are one, too.
func (o Options) located(ctx context.Context, problem report) (Options, error) {
	if o.tree != nil {
		return o, nil
	}
	names, err := o.shardNames()
	if err != nil || names == nil {
		return o, err
	}
	wrapped := func(err error) error { return problem(fmt.Errorf("datasets: %w", err)) }
	var archives []shards.Archive
	for _, name := range names {
		a, err := shards.OnDisk(name)
		if err == nil {
			archives = append(archives, a)
		} else if err := wrapped(err); err != nil {
			return o, err
		}
	}
	if len(archives) == 0 {
		return o, fmt.Errorf("datasets: root %s: none of its shards can be used, the first is %s", o.Root, names[0])
	}
	cache, err := usercache.Dir("shards")
	if err != nil {
		cache = "" // indices are made each time
	}
	entries, err := shards.Read(ctx, cache, archives, wrapped)
	if err != nil {
		return o, err
	}
	return o.withTree(entries, problem)
}

// withTree returns the options with the tree of some files.
func (o Options) withTree(entries []catalog.Entry, problem report) (Options, error) {
	tree, doubles, err := catalog.New(o.Root, entries)
	if err != nil {
		return o, fmt.Errorf("datasets: %w", err)
	}
	for _, d := range doubles {
		if !imagefile.IsImage(d.First.Path) {
			continue // notes that each shard has
		}
		if err := problem(&sameNameError{d.First.Place, d.Second.Place}); err != nil {
			return o, err
		}
	}
	o.tree = tree
	return o, nil
}

// shardNames lists the root's shards in lexical order, patterns in the order in which
// they are written out; nil for a folder of files.
func (o Options) shardNames() ([]string, error) {
	if !o.named() {
		return shardFolder(o.Root)
	}
	root := o.Root
	if o.Split != "" {
		root = strings.ReplaceAll(root, splitPlace, o.Split)
	} else {
		root = strings.ReplaceAll(root, splitPlace, "*")
	}
	patterns, err := shards.Expand(root)
	if err != nil {
		return nil, fmt.Errorf("datasets: root: %w", err)
	}
	var names []string
	for _, p := range patterns {
		if shards.Packed(p) {
			return nil, fmt.Errorf("datasets: root %s: shards are plain .tar files: of a compressed one no image can be read without all before it. Unpack it (gunzip, zstd -d); images are compressed already", o.Root)
		}
		found := []string{p}
		if strings.ContainsAny(p, "*?[") {
			if found, err = filepath.Glob(p); err != nil {
				return nil, fmt.Errorf("datasets: root: pattern %q: %w", p, err)
			}
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("datasets: root %s: no shard has such a name%s", o.Root, o.besides())
	}
	return names, nil
}

// besides tells which shards lie where a pattern has found none.
func (o Options) besides() string {
	all, _ := filepath.Glob(filepath.Join(filepath.Dir(o.Root), "*"+shards.Ext)) // none for a folder that is a pattern
	for i := range all {
		all[i] = filepath.Base(all[i])
	}
	return " (there: " + someOf(all) + ")"
}

// shardFolder lists the shards of a folder that holds shards and no data set of files;
// nil for others.
func shardFolder(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("datasets: %w", err)
	}
	var names []string
	packed := ""
	for _, e := range entries {
		name := e.Name()
		mode := e.Type()
		if info, err := os.Stat(filepath.Join(root, name)); mode&fs.ModeSymlink != 0 && err == nil {
			mode = info.Mode().Type()
		}
		switch {
		case strings.HasPrefix(name, "."):
		case mode.IsDir() || imagefile.IsImage(name):
			return nil, nil
		case shards.Packed(name):
			packed = name
		case strings.EqualFold(path.Ext(name), shards.Ext):
			names = append(names, filepath.Join(root, name))
		}
	}
	if names == nil && packed != "" {
		return nil, errors.New("datasets: root " + root + " holds compressed archives, such as " + packed + ": shards are plain .tar files, of which any image can be read by itself. Unpack them (gunzip, zstd -d)")
	}
	return names, nil
}

// shardSplits lists what stands for {split} in the root's name; ok: the root has it.
func (o Options) shardSplits() (splits []string, ok bool, err error) {
	if !o.named() || !strings.Contains(o.Root, splitPlace) {
		return nil, false, nil
	}
	patterns, err := shards.Expand(o.Root)
	if err != nil {
		return nil, false, fmt.Errorf("datasets: root: %w", err)
	}
	for _, p := range patterns {
		p = filepath.Clean(p) // as Glob's results are
		found, err := filepath.Glob(strings.ReplaceAll(p, splitPlace, "*"))
		if err != nil {
			return nil, false, fmt.Errorf("datasets: root: pattern %q: %w", p, err)
		}
		before, after, _ := strings.Cut(p, splitPlace)
		for _, name := range found {
			if split := between(name, before, after); split != "" && !slices.Contains(splits, split) {
				splits = append(splits, split)
			}
		}
	}
	slices.Sort(splits)
	return splits, true, nil
}

// between returns the shortest beginning of what follows before in a name, without
// slash and such that the rest matches after.
func between(name, before, after string) string {
	rest, ok := strings.CutPrefix(name, before)
	for i := 1; ok && i < len(rest) && !strings.Contains(rest[:i], "/"); i++ {
		if match, _ := path.Match(strings.ReplaceAll(after, splitPlace, rest[:i]), rest[i:]); match {
			return rest[:i]
		}
	}
	return ""
}
