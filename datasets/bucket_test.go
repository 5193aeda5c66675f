package datasets

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/internal/bucket/buckettest"
	"t2sda/internal/freespace"
)

// served puts what lies below folders into a bucket, each below its own prefix.
func served(t testing.TB, folders map[string]string) *buckettest.Server {
	t.Helper()
	objects := map[string]string{}
	for prefix, root := range folders {
		all, err := list(onDisk{}, []folder{{dir: root}}, func(string) bool { return true }, strict)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all.files {
			b, err := os.ReadFile(f.path)
			if err != nil {
				t.Fatal(err)
			}
			objects[prefix+"/"+f.rel] = string(b)
		}
	}
	return buckettest.Serve(t, objects)
}

// A data set in a bucket, as files or shards, is the one on disk; the second time it is
// taken from the cache.
func TestBucket(t *testing.T) {
	files, packed, _ := sharded(t, 5)
	s := served(t, map[string]string{"files": files.Root, "a/shards": packed.Root})
	load := func(o Options) (batches []*Batch) {
		d := mustOpen(t, o)
		l := mustLoader(t, LoaderOptions{Seed: 3, Batch: 2, Source: d, Target: d, CropW: 32, CropH: 32, Flip: true, CatMaxRatio: 1, Workers: 2})
		batches, err := l.Stream(t.Context(), 0).all(5)
		if err != nil {
			t.Fatal(err)
		}
		return batches
	}
	free, known := freespace.Of(t.TempDir())
	kept := !known || free > 11e9 // a cache leaves 10 GiB of the disk free
	want := load(files)
	for root, requests := range map[string]int{"files": 6, "files/": 6, "a/shards": 2, "a/shards/part-*.tar": 2, "a/shards/part-{000000..000002}.tar": 2, "a/shards/{split}-00000*.tar": 2} {
		o := files
		o.Root = "s3://data/" + root
		if strings.Contains(root, splitPlace) {
			splits, _, err := Splits(t.Context(), o)
			if err != nil || !slices.Equal(splits, []string{"part"}) {
				t.Errorf("%s: splits %v, %v", root, splits, err)
			}
			o.Layout, o.Images, o.Labels, o.Split = "generic", "images/train", "labels/train", "part"
		}
		if have := load(o); !reflect.DeepEqual(have, want) {
			t.Errorf("%s: other batches", root)
		}
		s.Asked = nil
		if have := load(o); !reflect.DeepEqual(have, want) || kept && len(s.Asked) != requests {
			t.Errorf("%s: other batches the second time, or not from the cache: %v", root, s.Asked)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, _, err := Splits(ended, Options{Layout: "generic", Root: "s3://data/a/shards/{split}-*.tar"}); !errors.Is(err, context.Canceled) {
		t.Errorf("splits after the end: %v", err)
	}
	o := files
	o.Root = "s3://data/files"
	if it := mustOpen(t, o).Item(1); it.Image != "s3://data/files/images/train/ab.png" || it.Label != "s3://data/files/labels/train/ab.png" {
		t.Errorf("%+v", it)
	}
	if r, err := Check(t.Context(), o, CheckOptions{}); err != nil || r.Stops() || r.Pairs != 5 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Counts and caches of decoded images know a bucket's files from any working directory.
func TestBucketKeys(t *testing.T) {
	files, _, _ := sharded(t, 3)
	served(t, map[string]string{"files": files.Root})
	o := files
	o.Root = "s3://data/files"
	o.Disk = openCache(t, t.TempDir())
	cache := t.TempDir()
	var keys []string
	for range 2 {
		d := mustOpen(t, o)
		if _, err := d.Load(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		key, err := d.ImagesKey()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
		counted := 0
		if _, err := d.Stats(t.Context(), 1, cache, func(int, int) { counted++ }); err != nil || counted != 3*(2-len(keys)) {
			t.Errorf("%d files counted (%v)", counted, err)
		}
		t.Chdir(t.TempDir())
	}
	entries, _ := filepath.Glob(filepath.Join(o.Disk.dir, "??", "*"))
	if keys[0] != keys[1] || len(entries) != 2 {
		t.Errorf("%v, %v", keys, entries)
	}
}

// What is wrong with a bucket is said once, by name.
func TestBadBucket(t *testing.T) {
	files, packed, _ := sharded(t, 3)
	s := served(t, map[string]string{"files": files.Root, "shards": packed.Root})
	for name, c := range map[string]struct {
		root, want string
		code       int
	}{
		"empty":   {"s3://data/none", "s3://data/none/ holds nothing", 0},
		"bucket":  {"s3://other/files", `there is no bucket "other"`, 0},
		"name":    {"s3:///files", "names no bucket", 0},
		"scheme":  {"gs://data/files", "want a folder, or shards, on disk or in a bucket (s3://BUCKET/PREFIX)", 0},
		"shard":   {"s3://data/shards/part-{000000..000003}.tar", "shard s3://data/shards/part-000003.tar is gone", 0},
		"pattern": {"s3://data/shards/x-*.tar", "(there: part-000000.tar, ", 0},
		"denied":  {"s3://data/files", "access is denied", http.StatusForbidden},
	} {
		s.Fault = func(w http.ResponseWriter, _ *http.Request) bool {
			if c.code != 0 {
				buckettest.Answer(w, c.code, "AccessDenied")
			}
			return c.code != 0
		}
		o := files
		o.Root = c.root
		_, err := Open(o)
		if err == nil || !strings.Contains(err.Error(), c.want) || slices.ContainsFunc(buckettest.Secrets, func(s string) bool { return strings.Contains(err.Error(), s) }) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	s.Fault = nil
	o := files
	o.Root = "s3://data/shards"
	d := mustOpen(t, o)
	delete(s.Objects, "shards/part-000001.tar")
	var err error
	for i := 0; i < d.Len() && err == nil; i++ {
		_, err = d.Load(t.Context(), i)
	}
	if err == nil || !strings.Contains(err.Error(), "s3://data/shards/part-000001.tar is gone") {
		t.Error(err)
	}
}

// BenchmarkPlaces reads pairs of 480×360 in turn as files, out of shards, and out of the
// cache of a bucket, so that what else the machine does falls on all alike: images a
// second of each, and how many times as fast as files. "bytes" opens and reads alone,
// "images" decodes as well.
func BenchmarkPlaces(b *testing.B) {
	ownCache(b)
	files := photoSet(b, 64, 480, 360, ".jpg")
	files.Images, files.Labels = "images", "labels"
	packed, fetched := files, files
	packed.Root, fetched.Root = b.TempDir(), "s3://data/shards"
	packTree(b, files.Root, packed.Root, "part", 4)
	served(b, map[string]string{"shards": packed.Root})
	names := []string{"files", "shards", "bucket"}
	sets := []*Dataset{mustOpen(b, files), mustOpen(b, packed), mustOpen(b, fetched)}
	for i := range sets[2].Len() { // fills the cache
		if _, err := sets[2].Load(b.Context(), i); err != nil {
			b.Fatal(err)
		}
	}
	for what, read := range map[string]func(d *Dataset, i int) error{
		"images": func(d *Dataset, i int) error { _, err := d.Load(b.Context(), i); return err },
		"bytes": func(d *Dataset, i int) error {
			f, err := d.source(b.Context())(d.Item(i).Image)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(io.Discard, io.NewSectionReader(f, 0, 1<<40))
			return err
		},
	} {
		b.Run(what, func(b *testing.B) {
			times := make([]time.Duration, len(sets))
			for n := 0; b.Loop(); n++ {
				for k, d := range sets {
					start := time.Now()
					if err := read(d, n*37%d.Len()); err != nil {
						b.Fatal(err)
					}
					times[k] += time.Since(start)
				}
			}
			for k, name := range names {
				b.ReportMetric(float64(b.N)/times[k].Seconds(), name+"/s")
				if k > 0 {
					b.ReportMetric(times[0].Seconds()/times[k].Seconds(), name+"/files")
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
