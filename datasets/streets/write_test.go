package streets_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/datasets/streets"
)

func options() streets.WriteOptions {
	return streets.WriteOptions{Seed: 5, Domain: streets.Camera, Train: 6, Val: 3, W: 64, H: 32, Workers: 2}
}

// files lists the tree's pictures and labels with their modification times.
func files(t *testing.T, root string) map[string]time.Time {
	t.Helper()
	out := map[string]time.Time{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		rel, _ := filepath.Rel(root, path)
		if rel != "streets.json" && rel != "SHA256SUMS" {
			out[rel] = info.ModTime()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func write(t *testing.T, root string, o streets.WriteOptions) {
	t.Helper()
	if err := streets.Write(t.Context(), root, o); err != nil {
		t.Fatal(err)
	}
}

func TestWriteGivesTheCityscapesTree(t *testing.T) {
	root := filepath.Join(t.TempDir(), "new", "tree")
	o := options()
	last := 0
	o.Progress = func(done, total int) {
		if last++; done != last || total != 9 {
			t.Errorf("progress %d of %d after %d reports", done, total, last)
		}
	}
	write(t, root, o)
	got := files(t, root)
	if len(got) != 18 || last != 9 {
		t.Fatalf("%d files, %d reports; want 18 and 9", len(got), last)
	}
	valid := map[uint8]bool{1: true}
	for _, id := range []uint8{7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33} {
		valid[id] = true
	}
	for path := range got {
		if !strings.HasPrefix(path, "leftImg8bit") {
			continue
		}
		label := strings.Replace(strings.Replace(path, "leftImg8bit", "gtFine", 1), "leftImg8bit.png", "gtFine_labelIds.png", 1)
		if _, there := got[label]; !there {
			t.Fatalf("%s has no labels at %s", path, label)
		}
		gray, ok := decode(t, filepath.Join(root, label)).(*image.Gray)
		if !ok || gray.Bounds().Size() != (image.Point{64, 32}) {
			t.Fatalf("%s is no 64×32 gray picture", label)
		}
		for _, id := range gray.Pix {
			if !valid[id] {
				t.Fatalf("%s holds id %d", label, id)
			}
		}
	}
	img := decode(t, filepath.Join(root, "leftImg8bit/train/altenfurt/altenfurt_000000_000019_leftImg8bit.png"))
	want, _ := streets.Render(5, 0, streets.Camera, 64, 32)
	r, g, b, _ := img.At(10, 20).RGBA()
	i := 20*64 + 10
	if uint8(r>>8) != uint8(want.Plane(0)[i]) || uint8(g>>8) != uint8(want.Plane(1)[i]) || uint8(b>>8) != uint8(want.Plane(2)[i]) {
		t.Error("the file differs from the rendering")
	}
}

func decode(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return img
}

func TestWriteCompletesAndKeeps(t *testing.T) {
	root := t.TempDir()
	write(t, root, options())
	before := files(t, root)
	lost := "gtFine/val/morheim/morheim_000000_000019_gtFine_labelIds.png"
	if err := os.Remove(filepath.Join(root, lost)); err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Train = 8
	write(t, root, o)
	after := files(t, root)
	if len(after) != 22 {
		t.Errorf("%d files after enlarging, want 22", len(after))
	}
	for path, when := range before {
		redone := strings.Contains(path, "morheim_000000")
		if now, there := after[path]; !there || !redone && !now.Equal(when) {
			t.Errorf("%s was rendered again or lost", path)
		}
	}
	o.Train, o.Val = 2, 1
	write(t, root, o)
	if n := len(files(t, root)); n != 6 {
		t.Errorf("%d files after cutting, want 6", n)
	}
	o.Seed++
	mine := filepath.Join(root, "leftImg8bit", "notes.txt")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	old := files(t, root)
	write(t, root, o)
	for path, now := range files(t, root) {
		if strings.HasSuffix(path, ".png") && now.Equal(old[path]) {
			t.Errorf("%s was not rendered again for another seed", path)
		}
	}
	if _, err := os.Stat(mine); err != nil {
		t.Errorf("a file that is not ours was removed: %v", err)
	}
}

// TestWriteMendsWhatHasChanged: a picture cut short, one with another byte and labels that
// another program has written are rendered again, what a killed process has left is
// removed, and nothing else is touched.
func TestWriteMendsWhatHasChanged(t *testing.T) {
	root := t.TempDir()
	write(t, root, options())
	before := files(t, root)
	var harmed []string
	content := map[string]string{}
	for path := range before {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		content[path] = string(text)
		bad := text
		switch {
		case strings.Contains(path, "leftImg8bit/val/morheim/morheim_000000"):
			bad = text[:len(text)-7]
		case strings.Contains(path, "leftImg8bit/train/altenfurt/altenfurt_000000"):
			bad[len(bad)/2] ^= 1
		case strings.Contains(path, "gtFine/train/brunnau/brunnau_000000"):
			bad = append(text, 0)
		default:
			continue
		}
		harmed = append(harmed, path)
		if err := os.WriteFile(filepath.Join(root, path), bad, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(root, "gtFine/train/brunnau/.x.png.0123456789abcdef")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(left, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	write(t, root, options())
	after := files(t, root)
	if len(harmed) != 3 || len(after) != len(before) {
		t.Fatalf("harmed %v; %d files became %d", harmed, len(before), len(after))
	}
	street := func(path string) string { // without its kind: picture and labels are rendered together
		path = strings.TrimPrefix(strings.TrimPrefix(path, "leftImg8bit"), "gtFine")
		return path[:strings.LastIndex(path, "_000019")]
	}
	for path := range before {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != content[path] {
			t.Errorf("%s is not as it was rendered first", path)
		}
		again := slices.ContainsFunc(harmed, func(h string) bool { return street(h) == street(path) })
		if kept := after[path].Equal(before[path]); kept == again {
			t.Errorf("%s: kept %v, want %v", path, kept, !again)
		}
	}
}

// TestWriteSumsAreSha256sums: the list is what sha256sum(1) checks.
func TestWriteSumsAreSha256sums(t *testing.T) {
	root := t.TempDir()
	write(t, root, options())
	text, err := os.ReadFile(filepath.Join(root, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		content, err := os.ReadFile(filepath.Join(root, name))
		if have := sha256.Sum256(content); err != nil || hex.EncodeToString(have[:]) != sum {
			t.Errorf("%q: %v", line, err)
		}
		lines++
	}
	if want := len(files(t, root)); lines != want {
		t.Errorf("%d lines for %d files", lines, want)
	}
}

func TestWriteSplitsAreDisjoint(t *testing.T) {
	a, _ := streets.Render(5, 0, streets.Camera, 64, 32)
	root := t.TempDir()
	write(t, root, options())
	img := decode(t, filepath.Join(root, "leftImg8bit/val/morheim/morheim_000000_000019_leftImg8bit.png"))
	for i := range a.Plane(0) {
		if r, _, _, _ := img.At(i%64, i/64).RGBA(); uint8(r>>8) != uint8(a.Plane(0)[i]) {
			return
		}
	}
	t.Error("the first pictures of both splits are the same")
}

func TestWriteStopsAndResumes(t *testing.T) {
	root := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	o := options()
	o.Train = 60
	o.Progress = func(done, _ int) {
		if done == 3 {
			cancel()
		}
	}
	if err := streets.Write(ctx, root, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	if n := len(files(t, root)); n < 6 || n > 30 {
		t.Errorf("%d files after stopping early", n)
	}
	o.Progress = nil
	write(t, root, o)
	if n := len(files(t, root)); n != 126 {
		t.Errorf("%d files after resuming, want 126", n)
	}
}

func TestWriteErrors(t *testing.T) {
	foreign := t.TempDir()
	if err := os.Mkdir(filepath.Join(foreign, "gtFine"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "occupied")
	broken := t.TempDir()
	for path, text := range map[string]string{file: "", filepath.Join(broken, "streets.json"): "{"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	blocked := t.TempDir()
	write(t, blocked, streets.WriteOptions{Domain: streets.Game, Train: 1, W: 32, H: 16})
	town := filepath.Join(blocked, "leftImg8bit", "train", "eastmoor")
	if err := os.WriteFile(town, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	set := func(f func(o *streets.WriteOptions)) streets.WriteOptions {
		o := streets.WriteOptions{Domain: streets.Game, Train: 2, W: 32, H: 16}
		f(&o)
		return o
	}
	same := func(*streets.WriteOptions) {}
	for _, c := range []struct {
		name, root string
		o          streets.WriteOptions
		want       string
	}{
		{"domain", t.TempDir(), set(func(o *streets.WriteOptions) { o.Domain = "film" }), `domain "film"`},
		{"size", t.TempDir(), set(func(o *streets.WriteOptions) { o.W = 4 }), "size 4×16"},
		{"count", t.TempDir(), set(func(o *streets.WriteOptions) { o.Train = 0 }), "0 training and 0 validation"},
		{"foreign tree", foreign, set(same), filepath.Join(foreign, "gtFine") + " exists"},
		{"root is a file", file, set(same), file},
		{"broken manifest", broken, set(same), filepath.Join(broken, "streets.json")},
		{"blocked folder", blocked, set(same), town},
	} {
		err := streets.Write(t.Context(), c.root, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not hold %q", c.name, err, c.want)
		}
	}
}

// TestWriteBesideAnother renders one tree several times at once, as processes that begin
// together do: it is the tree of one alone, and whoever comes later finds it whole.
func TestWriteBesideAnother(t *testing.T) {
	alone, root := filepath.Join(t.TempDir(), "tree"), filepath.Join(t.TempDir(), "tree")
	write(t, alone, options())
	errs := make(chan error)
	for range 3 {
		go func() { errs <- streets.Write(t.Context(), root, options()) }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	write(t, root, options()) // what is not in its list of digests any more
	have, want := files(t, root), files(t, alone)
	for name := range want {
		a, errA := os.ReadFile(filepath.Join(alone, name))
		b, errB := os.ReadFile(filepath.Join(root, name))
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("%s differs (%v, %v)", name, errA, errB)
		}
	}
	if len(have) != len(want) {
		t.Errorf("%d files, want %d", len(have), len(want))
	}
	write(t, root, options())
	for name, when := range files(t, root) {
		if !when.Equal(have[name]) {
			t.Errorf("%s was rendered again", name)
		}
	}
}

// TestCheck: a tree of other options is told, a folder of other files is not looked at.
func TestCheck(t *testing.T) {
	root, o := t.TempDir(), options()
	if err := streets.Check(root, o); err != nil {
		t.Errorf("nothing is there: %v", err)
	}
	write(t, root, o)
	if err := streets.Check(root, o); err != nil {
		t.Errorf("the same world: %v", err)
	}
	other := o
	other.Seed++
	if err := streets.Check(root, other); err == nil || !strings.Contains(err.Error(), "the streets there are now others") {
		t.Errorf("another seed: %v", err)
	}
	other = o
	other.Val++
	if err := streets.Check(root, other); err == nil {
		t.Error("another number of pictures is none")
	}
	if err := os.WriteFile(filepath.Join(root, "streets.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := streets.Check(root, o); err == nil || !strings.Contains(err.Error(), "streets.json") {
		t.Errorf("a damaged record: %v", err)
	}
}
