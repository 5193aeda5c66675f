package datasets

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"

	"t2sda/internal/limit"
	"t2sda/internal/peaktest"
	"t2sda/internal/raster"
)

// FuzzLabelMap: a label map's file is refused by its name, or leads every id to a class
// or to void, the way back included.
func FuzzLabelMap(f *testing.F) {
	for _, name := range Maps() {
		text, err := readEmbedded("maps", "label map", name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, text := range []string{
		threeClasses, "classes: []\n", "space: cityscapes\nclasses: [{name: road, ids: [7]}]\n", "space: fuzzed.yaml\n",
		"classes: [{name: a, color: [0, 0, 256], ids: [0]}]\n", "classes: [{name: a, colors: [[0, 0, 0], [1]], ids: [65535]}]\nignore: [65536, -1]\n",
		"classes: &a [{name: a, ids: [1], category: b}]\nsubsets: [{name: s, classes: [a, a]}]\nignore_colors: [[0, 0, 0]]\n", "classes: &a [*a]\n", "{}", "",
	} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := writeFile(t, filepath.Join(dir, "fuzzed.yaml"), []byte(text))
		peaktest.Bound(t, 32<<20+uint64(32<<10*len(text)), func() {
			m, err := LoadLabelMap(path)
			if err != nil {
				if !strings.Contains(err.Error(), path) {
					t.Errorf("the error does not name the file: %v", err)
				}
				return
			}
			checkMap(t, m)
		})
	})
}

func checkMap(t *testing.T, m *LabelMap) {
	classes := len(m.Space().Classes)
	if err := m.Space().Validate(); err != nil {
		t.Error(err)
	}
	for raw := -1; raw <= maxID+1; raw++ {
		id, ok := m.TrainID(raw)
		if int(id) >= classes && id != raster.Void {
			t.Fatalf("id %d leads to class %d of %d", raw, id, classes)
		}
		if ok && !slices.Contains(m.IDs(id), raw) && raw%257 == 0 { // some: the way back takes long
			t.Fatalf("id %d leads to %d, which does not lead back", raw, id)
		}
	}
	for c := range m.colours {
		if id, ok := m.TrainID(c); !ok || int(id) >= classes && id != raster.Void {
			t.Fatalf("%s leads to class %d of %d, %t", rawName(c), id, classes, ok)
		}
	}
}

// FuzzList: a list is refused with its name and line, or chooses images that are
// there, with labels that are.
func FuzzList(f *testing.F) {
	var files []string
	names := []string{"aachen_0", "frame#12", "frame", "a b", " lead", "y.jpg", "sub/frame", "#c"}
	for _, name := range names {
		files = append(files, "images/train/"+name+".png", "labels/train/"+name+".png")
	}
	o := Options{Root: writeTree(f, files...), Split: "train", RequireLabels: true}
	o.Map = writeFile(f, filepath.Join(o.Root, "map.yaml"), []byte("classes:\n  - {name: a, ids: [0]}\n"))
	for _, text := range []string{
		"aachen_0\nsub/frame.png\n", "\ufeffaachen_0\r\n# a comment\r\n\r\n", "\xff\xfea\x00\n\x00", "\xfe\xff\x00a\x00\n\x00", "frame\tlabels/train/a b.png\n",
		"a b.png labels/train/a b.png # c\n", "/old/images/train/frame.png,frame\n", `images\train\sub\frame.PNG`, "frame labels/train/frame.png\nframe labels/train/a b.png\n",
		"../..//frame ; \n", "aachen_0 ../../../../../../../dev/zero\n", "\x00", "frame /dev/stdin\n",
	} {
		f.Add(text)
	}
	o.List = filepath.Join(f.TempDir(), "list.txt")
	f.Fuzz(func(t *testing.T, text string) {
		writeFile(t, o.List, []byte(text))
		d, err := Open(o)
		if err != nil {
			if !strings.Contains(err.Error(), o.List) {
				t.Errorf("the error does not name the list: %v", err)
			}
			return
		}
		if d.Len() == 0 || d.Len() > len(names) {
			t.Errorf("%d images of %d", d.Len(), len(names))
		}
		for i := range d.Len() {
			for _, file := range []string{d.Item(i).Image, d.Item(i).Label} {
				if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
					t.Errorf("%q: %v", file, err)
				}
			}
		}
	})
}

// FuzzLabels: row by row a label file gives what it does as a whole, and an error
// names it.
func FuzzLabels(f *testing.F) {
	dir := f.TempDir()
	for i, img := range []func() string{
		func() string {
			return writePicture(f, filepath.Join(dir, "gray.png"), grayIDs(9, 5, func(x, _ int) uint8 { return uint8(x) % 4 }))
		},
		func() string { return writePicture(f, filepath.Join(dir, "colour.png"), photo(1, 4, 3)) },
		func() string { return writePicture(f, filepath.Join(dir, "photo.jpg"), photo(1, 9, 9)) },
	} {
		data, err := os.ReadFile(img())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, i-2, uint8(3*i), uint8(2*i))
	}
	m, err := LoadLabelMap(writeFile(f, filepath.Join(dir, "map.yaml"), []byte(threeClasses)))
	if err != nil {
		f.Fatal(err)
	}
	m.rest = true
	name := filepath.Join(dir, "label")
	f.Setenv(limit.PixelsEnv, "65536")
	f.Fuzz(func(t *testing.T, data []byte, channel int, w, h uint8) {
		channel = int(uint(channel)%5) + colourChannel // noChannel, red, green and blue among them
		writeFile(t, name, data)
		if min(w, h) == 0 {
			w, h = 0, 0
		}
		var fast, slow *raster.Labels
		peaktest.Bound(t, 64<<20+uint64(64*len(data)), func() {
			l, err := labelRows(fromDisk, name, m, channel, int(w), int(h))
			if err == nil {
				fast = l.Labels
			}
			whole, err := decodeWhole(fromDisk, name, m, channel)
			if err == nil {
				slow = sized(whole, int(w), int(h)).Labels
			} else if !strings.Contains(err.Error(), name) {
				t.Errorf("the error does not name the file: %v", err)
			}
		})
		if fast == nil {
			return // for the other way, which says what is wrong
		}
		if slow == nil || fast.W != slow.W || fast.H != slow.H || !bytes.Equal(fast.Pix, slow.Pix) {
			t.Errorf("by rows it is %v, as a whole %v", fast, slow)
		}
	})
}

// FuzzEntry: an entry of the disk cache whose checksum is right is refused, or is a
// picture of a size that is taken, with all of its bytes; put again it is the same.
func FuzzEntry(f *testing.F) {
	add := func(e entry, kind entryKind) {
		head := []byte(entryMagic)
		for _, n := range []int{e.w, e.h, e.w0, e.h0} {
			head = binary.LittleEndian.AppendUint32(head, uint32(n))
		}
		f.Add(append(append(head, 0, 0, 0, 0), s2.Encode(nil, e.pix)...), uint8(kind.w), uint8(kind.h), kind.bytes == 3)
	}
	add(entry{w: 2, h: 3, w0: 4, h0: 6, pix: make([]byte, 18)}, entryKind{w: 2, h: 3, bytes: 3})
	add(entry{w: 2, h: 3, w0: 2, h0: 3, pix: []byte("abcdef")}, entryKind{bytes: 1})
	add(entry{w: 1 << 31, h: 1 << 31, w0: 1, h0: 1, pix: nil}, entryKind{bytes: 3}) // 3·2⁶² is 0 in 62 bits
	add(entry{w: 0, h: 1 << 31, w0: 0, h0: 0, pix: nil}, entryKind{bytes: 1})
	path := filepath.Join(f.TempDir(), "entry")
	f.Setenv(limit.PixelsEnv, "65536")
	f.Fuzz(func(t *testing.T, b []byte, w, h uint8, colour bool) {
		kind := entryKind{w: int(w), h: int(h), bytes: 1}
		if colour {
			kind.bytes = 3
		}
		if min(w, h) == 0 {
			kind.w, kind.h = 0, 0
		}
		if len(b) >= entryStart {
			sum := crc32.Update(crc32.ChecksumIEEE(b[:entryHead]), crc32.IEEETable, b[entryStart:])
			binary.LittleEndian.PutUint32(b[entryHead:], sum)
		}
		writeFile(t, path, b)
		peaktest.Bound(t, 4<<20+uint64(4*len(b)), func() {
			e, err := readEntry(path, kind)
			if err != nil {
				return
			}
			if e.w*e.h*kind.bytes != len(e.pix) || kind.w > 0 && (e.w != kind.w || e.h != kind.h) || limit.Check(e.w, e.h) != nil {
				t.Errorf("%d×%d pixels in %d bytes", e.w, e.h, len(e.pix))
			}
			c := &DiskCache{dir: filepath.Dir(path), warn: func(err error) { t.Error(err) }}
			if err := c.put(path, e); err != nil {
				t.Fatal(err)
			}
			if again, err := readEntry(path, kind); err != nil || again.w != e.w || again.h0 != e.h0 || !bytes.Equal(again.pix, e.pix) {
				t.Errorf("put again it is another entry: %v", err)
			}
		})
	})
}

// FuzzStats: counts of a file that pass [Dataset.CheckStats] can be sampled by.
func FuzzStats(f *testing.F) {
	d := mustOpen(f, genericSet(f, 2, 12, 10))
	good, err := d.Stats(f.Context(), 1, "")
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(bytes.ReplaceAll(text, []byte(`"pixels":[`), []byte(`"pixels":[9223372036854775807,`)))
	f.Add(bytes.ReplaceAll(text, []byte(`"pixels":[`), []byte(`"pixels":[-`)))
	f.Add([]byte(`{"files":[{},{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := new(Stats)
		if json.Unmarshal(text, s) != nil || d.CheckStats(s) != nil {
			return
		}
		rcs, err := NewRCS(DefaultRCS(s))
		if err != nil {
			return
		}
		sum := 0.0
		for c, p := range rcs.Probability {
			if sum += p; p < 0 || p > 0 && len(rcs.Files[c]) == 0 {
				t.Errorf("class %d has probability %v of %d files", c, p, len(rcs.Files[c]))
			}
		}
		if sum < 0.999 || sum > 1.001 {
			t.Errorf("the probabilities sum to %v", sum)
		}
	})
}
