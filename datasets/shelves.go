package datasets

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/internal/bucket"
	"t2sda/internal/catalog"
	"t2sda/internal/imagefile"
	"t2sda/internal/shards"
	"t2sda/internal/usercache"
)

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// shardsAmong returns the shards among the names of a folder's entries, if there is
// neither a folder (isDir) nor an image, and otherwise nil. Compressed archives alone
// are an error.
func shardsAmong(root string, names []string, isDir func(name string) bool) ([]string, error) {
	var found []string
	packed := ""
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, "."):
		case imagefile.IsImage(name) || isDir(name):
			return nil, nil
		case shards.Packed(name):
			packed = name
		case strings.EqualFold(path.Ext(name), shards.Ext):
			found = append(found, name)
		}
	}
	if found == nil && packed != "" {
		return nil, packedError(root, packed)
	}
	return found, nil
}

// diskShelf is the file system.
type diskShelf struct{}

func (diskShelf) glob(_ context.Context, pattern string) ([]string, error) {
	return filepath.Glob(pattern)
}

func (diskShelf) archive(_ context.Context, name string) (shards.Archive, error) {
	return shards.OnDisk(name)
}

func (diskShelf) list(_ context.Context, dir string) ([]string, []catalog.Entry, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	names := make([]string, len(entries))
	types := map[string]fs.FileMode{}
	for i, e := range entries {
		names[i], types[e.Name()] = e.Name(), e.Type()
	}
	found, err := shardsAmong(dir, names, func(name string) bool {
		return types[name].IsDir() || types[name]&fs.ModeSymlink != 0 && isFolder(filepath.Join(dir, name))
	})
	for i := range found {
		found[i] = filepath.Join(dir, found[i])
	}
	return found, nil, err
}

// bucketShelf is a bucket. It is for one goroutine.
type bucketShelf struct {
	bucket *bucket.Bucket
	name   string
	lists  map[string]map[string]*bucket.Object // by prefix, then by name
}

func newBucketShelf(ctx context.Context, o Options) (*bucketShelf, error) {
	if !strings.HasPrefix(o.Root, bucket.Scheme) {
		return nil, fmt.Errorf("%s: want a folder, or shards, on disk or in a bucket (%sBUCKET/PREFIX)", o.Root, bucket.Scheme)
	}
	name, _, err := bucket.Split(o.Root)
	if err != nil {
		return nil, err
	}
	var cache *bucket.Cache
	if dir, err := usercache.Dir("fetched"); err == nil {
		limit := o.FetchedBytes
		if limit == 0 {
			limit = DefaultFetchedBytes
		}
		cache, _ = bucket.OpenCache(dir, limit) // without one, all is fetched each time
	}
	b, err := bucket.Open(ctx, name, cache)
	if err != nil {
		return nil, err
	}
	return &bucketShelf{b, name, map[string]map[string]*bucket.Object{}}, nil
}

// under lists the objects whose names begin with a text, once.
func (s *bucketShelf) under(ctx context.Context, start string) (map[string]*bucket.Object, error) {
	_, prefix, err := bucket.Split(start)
	if err != nil {
		return nil, err
	}
	if known := s.lists[prefix]; known != nil {
		return known, nil
	}
	objects, err := s.bucket.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	all := make(map[string]*bucket.Object, len(objects))
	for _, o := range objects {
		all[o.Name()] = o
	}
	s.lists[prefix] = all
	return all, nil
}

func (s *bucketShelf) glob(ctx context.Context, pattern string) ([]string, error) {
	end := strings.IndexAny(pattern, `*?[\`)
	if end < 0 {
		end = len(pattern)
	}
	all, err := s.under(ctx, pattern[:end])
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range all {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return nil, err
		}
		if ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (s *bucketShelf) archive(ctx context.Context, name string) (shards.Archive, error) {
	for _, known := range s.lists {
		if o := known[name]; o != nil {
			return o, nil
		}
	}
	dir, _ := path.Split(name)
	all, err := s.under(ctx, dir)
	if err != nil {
		return nil, err
	}
	if o := all[name]; o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("shard %s is gone: %w", name, fs.ErrNotExist)
}

func (s *bucketShelf) list(ctx context.Context, dir string) ([]string, []catalog.Entry, error) {
	dir = strings.TrimSuffix(dir, "/") + "/"
	all, err := s.under(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	folders := map[string]bool{}
	entries := make([]catalog.Entry, 0, len(all))
	for name, o := range all {
		rel := name[len(dir):]
		first, _, more := strings.Cut(rel, "/")
		names, folders[first] = append(names, first), folders[first] || more
		entries = append(entries, catalog.Entry{Path: rel, Place: name, Size: o.Size(), ModTime: o.ModTime(), Content: o})
	}
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("%s holds nothing", dir)
	}
	slices.Sort(names)
	found, err := shardsAmong(dir, slices.Compact(names), func(name string) bool { return folders[name] })
	if found != nil || err != nil {
		for i := range found {
			found[i] = dir + found[i]
		}
		return found, nil, err
	}
	slices.SortFunc(entries, func(a, b catalog.Entry) int { return strings.Compare(a.Path, b.Path) })
	return nil, entries, nil
}
