package datasets

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// packTree puts the files below a folder into n shards in turn, dir/pre-000000.tar …,
// each pair of names into one; their paths stay. It returns the shards.
func packTree(t testing.TB, from, dir, pre string, n int) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(from, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Ext(name) != ".yaml" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for k := range n {
		var files []string
		for i, name := range names {
			if i%n == k {
				files = append(files, name)
			}
		}
		all = append(all, packFiles(t, filepath.Join(dir, fmt.Sprintf("%s-%06d.tar", pre, k)), from, files...))
	}
	return all
}

// packFiles writes a shard of files, called by their paths below a folder.
func packFiles(t testing.TB, shard, below string, files ...string) string {
	t.Helper()
	writeFile(t, shard, nil)
	f, err := os.Create(shard)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(below, name)
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(rel), Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(b))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return shard
}

// ownCache keeps indices out of the user's cache.
func ownCache(t testing.TB) { t.Setenv("XDG_CACHE_HOME", t.TempDir()) }

// sharded is genericSet, and the same in three shards.
func sharded(t testing.TB, n int) (files, packed Options, all []string) {
	t.Helper()
	ownCache(t)
	files = genericSet(t, n, 48, 40)
	packed = files
	packed.Root = t.TempDir()
	return files, packed, packTree(t, files.Root, packed.Root, "part", 3)
}

// A data set of shards is that of its files, in all that is made of them.
func TestShardsAreTheirFiles(t *testing.T) {
	files, packed, _ := sharded(t, 8)
	want, have := mustOpen(t, files), mustOpen(t, packed)
	if !slices.Equal(itemIDs(want), itemIDs(have)) || have.Len() != 8 {
		t.Fatalf("%v, want %v", itemIDs(have), itemIDs(want))
	}
	if it := have.Item(0); !strings.HasPrefix(it.Image, packed.Root+"/part-00000") || !strings.HasSuffix(it.Image, ".tar/images/train/aa.png") {
		t.Errorf("%+v", it)
	}
	wantStats, err1 := want.Stats(t.Context(), 2, t.TempDir())
	cache := t.TempDir()
	stats, err2 := have.Stats(t.Context(), 2, cache)
	again, err3 := have.Stats(t.Context(), 2, cache, func(int, int) { t.Error("counted again") })
	if err1 != nil || err2 != nil || err3 != nil || !cmp.Equal(wantStats.Files, stats.Files) || !cmp.Equal(again, stats) {
		t.Errorf("%v %v %v: %s", err1, err2, err3, cmp.Diff(wantStats, stats))
	}
	loader := func(d *Dataset, s *Stats) *Loader {
		rcs := DefaultRCS(s)
		rcs.MinPixels = 8
		return mustLoader(t, LoaderOptions{Seed: 3, Batch: 2, Source: d, Target: d, CropW: 32, CropH: 32, Flip: true, CatMaxRatio: 0.9, RCS: &rcs, Workers: 2})
	}
	a, b := loader(want, wantStats), loader(have, stats)
	for i := range 6 {
		if x, y := mustBatch(t, a, i), mustBatch(t, b, i); !reflect.DeepEqual(x, y) {
			t.Fatalf("batch %d differs", i)
		}
	}
	from, err := b.Stream(t.Context(), 4).all(2)
	if err != nil || !cmp.Equal(from[1], mustBatch(t, a, 5)) {
		t.Errorf("resumed at 4: %v", err)
	}
}

// Check, lists and splits see in shards what they see in files.
func TestShardsAreChecked(t *testing.T) {
	files, packed, _ := sharded(t, 5)
	check := func(o Options) *Report {
		r, err := Check(t.Context(), o, CheckOptions{Previews: 2})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want, have := check(files), check(packed)
	if d := cmp.Diff(want, have, cmpopts.IgnoreFields(Report{}, "Root"), cmpopts.IgnoreUnexported(Space{})); d != "" || have.Stops() {
		t.Error(d)
	}
	a, _, err1 := Splits(t.Context(), files)
	b, _, err2 := Splits(t.Context(), packed)
	if err1 != nil || err2 != nil || !slices.Equal(a, b) || !slices.Equal(b, []string{"train"}) {
		t.Errorf("%v, %v: %v, %v", a, b, err1, err2)
	}
	writeFile(t, filepath.Join(files.Root, "images/val/read.me"), nil) // a split without images
	packTree(t, files.Root, packed.Root, "part", 3)
	a, without, err1 := Splits(t.Context(), files)
	b, packedWithout, err2 := Splits(t.Context(), packed)
	if err1 != nil || err2 != nil || !slices.Equal(a, b) || !slices.Equal(without, packedWithout) || !slices.Equal(without, []string{"val"}) {
		t.Errorf("%v, %v without; packed %v, %v without: %v, %v", a, without, b, packedWithout, err1, err2)
	}
	list := filepath.Join(t.TempDir(), "list.txt")
	d := mustOpen(t, packed)
	writeFile(t, list, []byte("images/train/ab.png labels/train/ac.png\nad\n"+d.Item(4).Image+"\n"))
	packed.List = list
	packed.RequireLabels = false
	l := mustOpen(t, packed)
	if !slices.Equal(itemIDs(l), []string{"ab", "ad", "ae"}) || !strings.HasSuffix(l.Item(0).Label, "labels/train/ac.png") {
		t.Errorf("%v, %+v", itemIDs(l), l.Items())
	}
	if _, err := l.Load(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

// Samples as WebDataset has them: labels beside images, splits in the shards' names.
func TestWebDataset(t *testing.T) {
	ownCache(t)
	tree, root := t.TempDir(), t.TempDir()
	for i := range 6 {
		writePicture(t, filepath.Join(tree, fmt.Sprintf("city/%04d.jpg", i)), photo(uint64(i), 40, 36))
		writePicture(t, filepath.Join(tree, fmt.Sprintf("city/%04d.seg.png", i)), grayIDs(40, 36, constant(uint8(1+i%3))))
		writeFile(t, filepath.Join(tree, fmt.Sprintf("city/%04d.json", i)), []byte("{}"))
	}
	packTree(t, tree, root, "train", 2)
	packTree(t, tree, root, "val", 1)
	o := Options{Layout: "webdataset", Root: root + "/{split}-*.tar", RequireLabels: true, Map: writeFile(t, filepath.Join(tree, "map.yaml"), []byte(threeClasses))}
	splits, _, err := Splits(t.Context(), o)
	if err != nil || !slices.Equal(splits, []string{"train", "val"}) {
		t.Fatalf("%v, %v", splits, err)
	}
	for _, pattern := range []string{"{split}-*.tar", "{split}-{000000..000001}.tar", "train-{000000,000001}.tar", "val-000000.tar"} {
		o.Root, o.Split = root+"/"+pattern, "train"
		if !strings.Contains(pattern, "{split}") {
			o.Split = ""
		}
		d := mustOpen(t, o)
		if d.Len() != 6 || d.Item(3).ID != "city/0003" || d.PassedOver() != nil {
			t.Errorf("%s: %v, passed over %v", pattern, d.Items(), d.PassedOver())
		}
	}
	o.ImageSuffix, o.LabelSuffix = ".jpg", ".seg.png"
	if d := mustOpen(t, o); d.Len() != 6 {
		t.Errorf("by suffixes: %v", d.Items())
	}
}

// What is wrong with shards names them.
func TestBadShards(t *testing.T) {
	_, good, _ := sharded(t, 4)
	for name, c := range map[string]struct {
		harm func(t *testing.T, all []string, o *Options)
		want string
	}{
		"truncated":   {func(t *testing.T, all []string, _ *Options) { truncate(t, all[1], 2000) }, "part-000001.tar: it is cut off behind"},
		"not of tar":  {func(t *testing.T, all []string, _ *Options) { writeFile(t, all[1], make([]byte, 0)) }, "part-000001.tar: it is empty"},
		"missing":     {func(_ *testing.T, _ []string, o *Options) { o.Root += "/part-{000000..000003}.tar" }, "part-000003.tar is gone"},
		"none":        {func(_ *testing.T, _ []string, o *Options) { o.Root += "/other-*.tar" }, "no shard has such a name (there: part-000000.tar"},
		"range":       {func(_ *testing.T, _ []string, o *Options) { o.Root += "/part-{9..1}.tar" }, "{9..1} is no range"},
		"compressed":  {func(_ *testing.T, _ []string, o *Options) { o.Root += "/part-*.tar.gz" }, "shards are plain .tar files"},
		"all packed":  {func(t *testing.T, all []string, _ *Options) { rename(t, ".gz", all...) }, "a compressed one (part-000002.tar.gz)"},
		"gzip inside": {func(t *testing.T, all []string, _ *Options) { writeFile(t, all[0], []byte("\x1f\x8b\x08\x00\x00")) }, "it is compressed (gzip)"},
		"twice": {
			func(t *testing.T, all []string, o *Options) {
				copyFile(t, filepath.Join(o.Root, "part-000009.tar"), all[0])
			},
			"part-000009.tar/images/train/aa.png have the same name",
		},
		"no label": {func(t *testing.T, all []string, o *Options) {
			one := writePicture(t, filepath.Join(t.TempDir(), "images/train/zz.png"), photo(1, 48, 40))
			packFiles(t, filepath.Join(o.Root, "part-000009.tar"), filepath.Dir(filepath.Dir(filepath.Dir(one))), one)
		}, "part-000009.tar/images/train/zz.png has no label"},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			o.Root = t.TempDir()
			var all []string
			for i := range 3 {
				shard := fmt.Sprintf("part-%06d.tar", i)
				all = append(all, filepath.Join(o.Root, shard))
				copyFile(t, all[i], filepath.Join(good.Root, shard))
			}
			c.harm(t, all, &o)
			_, err := Open(o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func rename(t testing.TB, end string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Rename(name, name+end); err != nil {
			t.Fatal(err)
		}
	}
}

// A shard that goes while a run draws from it names itself, and is drawn around where
// that is asked for; so is one that was cut off from the start.
func TestShardGoesDuringARun(t *testing.T) {
	_, o, all := sharded(t, 8)
	o.KeepGoing = true
	d := mustOpen(t, o)
	l := func(skip bool) *Loader {
		return mustLoader(t, LoaderOptions{Seed: 3, Batch: 2, Source: d, CropW: 32, CropH: 32, CatMaxRatio: 1, SkipBadFiles: skip})
	}
	strictly, loosely := l(false), l(true)
	removeAll(t, all[1])
	var err error
	for i := 0; i < 20 && err == nil; i++ {
		_, err = strictly.Batch(t.Context(), i)
	}
	if err == nil || !strings.Contains(err.Error(), "shard "+all[1]+" is gone") {
		t.Errorf("%v", err)
	}
	skipped := 0
	for i := range 20 {
		b := mustBatch(t, loosely, i)
		skipped += len(b.Skipped)
		for _, f := range b.Skipped {
			if !strings.Contains(f.Error, "shard "+all[1]+" is gone") {
				t.Errorf("%+v", f)
			}
		}
	}
	if skipped == 0 {
		t.Error("nothing was drawn around: the test shows too little")
	}
	truncate(t, all[0], 3000)
	o.RequireLabels = false
	rest := mustOpen(t, o)
	if n := rest.Len(); n == 0 || n >= 8 || len(rest.LeftOut()) == 0 || !strings.Contains(rest.LeftOut()[0].Error(), all[0]+": it is cut off") {
		t.Errorf("%d images, left out %v", n, rest.LeftOut())
	}
}
