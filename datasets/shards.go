package datasets

import (
	"context"
	"fmt"
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

// DefaultFetchedBytes is what the user's cache keeps of buckets.
const DefaultFetchedBytes = 20 << 30

// shelf is where shards lie: a file system or a bucket.
type shelf interface {
	// glob returns the names that match a pattern of path.Match, in lexical order.
	glob(ctx context.Context, pattern string) ([]string, error)
	// archive finds a shard.
	archive(ctx context.Context, name string) (shards.Archive, error)
	// list returns what lies below a folder: its shards, if there is nothing else that
	// a data set consists of, or else, in a bucket, its files.
	list(ctx context.Context, dir string) (names []string, files []catalog.Entry, err error)
}

func (o Options) shelf(ctx context.Context) (shelf, error) {
	if isURL(o.Root) {
		return newBucketShelf(ctx, o)
	}
	return diskShelf{}, nil
}

// NamesShards reports whether a root names shards, one or by a pattern, or lies in a
// bucket: it is no folder on disk.
func NamesShards(root string) bool { return Options{Root: root}.named() || isURL(root) }

// named reports whether the root names shards, one or by a pattern.
func (o Options) named() bool {
	return (strings.HasSuffix(o.Root, shards.Ext) || shards.Packed(o.Root)) && !isFolder(o.Root)
}

// located returns the options with the tree that the root's shards hold, if it is
//
//   - the name of a shard, or a pattern of names (train-{000000..000099}.tar,
//     {split}-*.tar), or
//   - a folder with shards, and neither folders nor images beside them,
//
// or with that of the files of a bucket. Any other root is a folder of files. The
// shards' files are one tree, whichever of them they lie in; they are called by it:
// shards/train-000003.tar/city/0001.jpg. What is wrong with a shard is a problem; two
// images of one path are one, too.
func (o Options) located(ctx context.Context, problem report) (Options, error) {
	if o.tree != nil {
		return o, nil
	}
	at, err := o.shelf(ctx)
	if err != nil {
		return o, fmt.Errorf("datasets: root: %w", err)
	}
	names, files, err := o.contents(ctx, at)
	switch {
	case err != nil:
		return o, fmt.Errorf("datasets: root: %w", err)
	case files != nil:
		return o.withTree(files, problem)
	case names == nil:
		return o, nil
	}
	wrapped := func(err error) error { return problem(fmt.Errorf("datasets: %w", err)) }
	var archives []shards.Archive
	for _, name := range names {
		a, err := at.archive(ctx, name)
		if err == nil {
			archives = append(archives, a)
		} else if err := wrapped(err); err != nil || ctx.Err() != nil {
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

// contents returns the root's shards or files; neither for a folder of files on disk.
func (o Options) contents(ctx context.Context, at shelf) (names []string, files []catalog.Entry, err error) {
	if !o.named() {
		return at.list(ctx, o.Root)
	}
	names, err = o.shardNames(ctx, at)
	return names, nil, err
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

// shardNames lists the shards that the root names: braces as they are written out,
// other patterns in lexical order.
func (o Options) shardNames(ctx context.Context, at shelf) ([]string, error) {
	root := strings.ReplaceAll(o.Root, splitPlace, "*")
	if o.Split != "" {
		root = strings.ReplaceAll(o.Root, splitPlace, o.Split)
	}
	patterns, err := shards.Expand(root)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range patterns {
		found := []string{p}
		switch {
		case shards.Packed(p):
			return nil, packedError(o.Root, path.Base(p))
		case strings.ContainsAny(p, `*?[`):
			if found, err = at.glob(ctx, p); err != nil {
				return nil, fmt.Errorf("pattern %q: %w", p, err)
			}
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no shard has such a name (there: %s)", o.Root, someOf(besides(ctx, at, o.Root)))
	}
	return names, nil
}

// besides returns the names of the shards where a pattern has found none.
func besides(ctx context.Context, at shelf, root string) []string {
	dir, _ := path.Split(root)
	all, _ := at.glob(ctx, dir+"*"+shards.Ext) // none where that fails
	for i := range all {
		all[i] = path.Base(all[i])
	}
	return all
}

// packedError is the error of compressed archives.
func packedError(root, example string) error {
	return fmt.Errorf("%s: shards are plain .tar files: of a compressed one (%s) no image can be read without all before it. Unpack it (gunzip, zstd -d); images are compressed already", root, example)
}

// shardSplits lists what stands for {split} in the root's name; ok: the root has it.
func (o Options) shardSplits(ctx context.Context) (splits []string, ok bool, err error) {
	if !o.named() || !strings.Contains(o.Root, splitPlace) {
		return nil, false, nil
	}
	at, err := o.shelf(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("datasets: root: %w", err)
	}
	patterns, err := shards.Expand(o.Root)
	if err != nil {
		return nil, false, fmt.Errorf("datasets: root: %w", err)
	}
	for _, p := range patterns {
		if !isURL(p) {
			p = filepath.Clean(p) // as the names that are found
		}
		found, err := at.glob(ctx, strings.ReplaceAll(p, splitPlace, "*"))
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
