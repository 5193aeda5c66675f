package datasets

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
)

// realData returns the folder of real photographs, or skips.
func realData(t testing.TB) string {
	t.Helper()
	root := os.Getenv("T2SDA_REAL_DATA")
	if root == "" {
		t.Skip("T2SDA_REAL_DATA is not set: no real photographs here")
	}
	return root
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func TestRealCamVid(t *testing.T) {
	root := filepath.Join(realData(t), "camvid")
	if !exists(root) {
		t.Skip("no camvid in T2SDA_REAL_DATA")
	}
	open := func(o Options) *Dataset {
		o.Layout, o.Root = "camvid", root
		return mustOpen(t, o)
	}
	dusk := []string{"0001TP_*"}
	day := open(Options{Split: "train", Exclude: dusk, RequireLabels: true})
	night := open(Options{Split: "train", Include: dusk})
	if day.Len() != 367-62 || night.Len() != 62 {
		t.Errorf("%d day and %d dusk files", day.Len(), night.Len())
	}
	if val := open(Options{Split: "val", RequireLabels: true}); val.Len() != 101 {
		t.Errorf("%d files in val", val.Len())
	}
	s, err := day.Stats(t.Context(), 2, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckClasses(); err != nil {
		t.Error(err)
	}
	// Sky, building and road make up most of CamVid.
	var total, three int64
	for c, n := range s.Pixels {
		total += n
		if c == 0 || c == 1 || c == 3 {
			three += n
		}
	}
	if total+s.Void != int64(day.Len())*480*360 || three < total/2 || three > 9*total/10 {
		t.Errorf("pixels %v, void %d", s.Pixels, s.Void)
	}
	// The same pixels, mapped onto Cityscapes.
	onto := open(Options{Split: "train", Map: "camvid-cityscapes"})
	own, err := open(Options{Split: "train"}).LoadLabels(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := onto.LoadLabels(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []uint8{10, 2, 5, 0, 1, 8, 7, 4, 13, 11, 12} {
		for p, v := range own.Pix {
			if (int(v) == i) != (mapped.Pix[p] == id) {
				t.Fatalf("CamVid's %d is not Cityscapes' %d at pixel %d", i, id, p)
			}
		}
	}
}

func TestRealSamples(t *testing.T) {
	root := filepath.Join(realData(t), "samples")
	if !exists(root) {
		t.Skip("no samples in T2SDA_REAL_DATA")
	}
	tests := []struct {
		layout, split string
		ids           []string
		w, h          int
		present       []string // classes that a person sees in the first image
	}{
		{"cityscapes", "train", []string{"aachen/aachen_000000_000019", "aachen/aachen_000001_000019"}, 2048, 1024, []string{"road", "building", "vegetation", "car", "sky"}},
		{"cityscapes", "val", []string{"frankfurt/frankfurt_000000_000294"}, 256, 128, []string{"road", "building", "vegetation", "car"}},
		{"synthia-seqs", "", []string{"0000000"}, 1280, 760, []string{"road", "building", "vegetation", "sky", "car"}},
		{"carla", "", []string{"0", "1", "2"}, 800, 600, []string{"road", "vegetation"}},
	}
	for _, test := range tests {
		t.Run(test.layout+" "+test.split, func(t *testing.T) {
			folder := test.layout
			if folder == "synthia-seqs" {
				folder = "synthia"
			}
			d := mustOpen(t, Options{Layout: test.layout, Root: filepath.Join(root, folder), Split: test.split, RequireLabels: true})
			if diff := cmp.Diff(test.ids, itemIDs(d)); diff != "" {
				t.Fatal(diff)
			}
			for i := range d.Len() {
				s, err := d.Load(t.Context(), i)
				if err != nil {
					t.Fatal(err)
				}
				if s.Image.W != test.w || s.Image.H != test.h || s.Labels.W != test.w {
					t.Errorf("%s has %d×%d pixels", s.ID, s.Image.W, s.Image.H)
				}
				for _, name := range test.present {
					if i == 0 && !slices.Contains(s.Labels.Pix, uint8(d.Space().Index(name))) {
						t.Errorf("%s: no %s", s.ID, name)
					}
				}
			}
		})
	}
}

// The reduced Cityscapes pair has its labels both as labelIds and as
// labelTrainIds: our map must make the one of the other. They were reduced
// independently, so a few pixels at borders differ.
func TestRealLabelIDsAreTrainIDs(t *testing.T) {
	root := filepath.Join(realData(t), "samples", "cityscapes")
	if !exists(root) {
		t.Skip("no samples/cityscapes in T2SDA_REAL_DATA")
	}
	load := func(name string) *raster.Labels {
		l, err := mustOpen(t, Options{Layout: "cityscapes", Root: root, Split: "val", Map: name, RequireLabels: true}).LoadLabels(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	mapped, given := load("cityscapes"), load("cityscapes-trainids")
	differ := 0
	for i, id := range mapped.Pix {
		if id != given.Pix[i] {
			differ++
		}
	}
	if differ > len(mapped.Pix)/200 {
		t.Errorf("labelIds and labelTrainIds disagree at %d of %d pixels", differ, len(mapped.Pix))
	}
}

// What a person sees at a point of the samples, and what the label files'
// own tables say is there.
func TestRealPoints(t *testing.T) {
	samples := filepath.Join(realData(t), "samples")
	type point struct {
		x, y int
		want string
	}
	tests := []struct {
		layout, folder, split string
		points                []point // of the first image
	}{
		{"cityscapes", "samples/cityscapes", "train", []point{
			{1104, 742, "road"}, {470, 94, "building"}, {775, 470, "car"}, {141, 695, "terrain"}, {1005, 291, "traffic sign"}, {117, 28, "sky"}, {1024, 1020, "void"},
		}},
		{"synthia-seqs", "samples/synthia", "", []point{
			{635, 672, "road"}, {208, 459, "car"}, {48, 32, "sky"}, {395, 85, "building"}, {1168, 219, "vegetation"}, {523, 485, "road"},
		}},
		{"carla", "samples/carla", "", []point{
			{337, 406, "road"}, {661, 406, "sidewalk"}, {726, 147, "vegetation"}, {402, 557, "car"}, {45, 147, "building"}, {78, 309, "wall"}, {337, 104, "void"},
		}},
		{"camvid", "camvid", "train", []point{{300, 340, "road"}, {100, 40, "building"}, {200, 30, "sky"}, {340, 250, "car"}}},
	}
	for _, test := range tests {
		t.Run(test.layout, func(t *testing.T) {
			root := filepath.Join(filepath.Dir(samples), test.folder)
			if !exists(root) {
				t.Skipf("no %s in T2SDA_REAL_DATA", test.folder)
			}
			d := mustOpen(t, Options{Layout: test.layout, Root: root, Split: test.split, RequireLabels: true})
			l, err := d.LoadLabels(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range test.points {
				have := "void"
				if id := l.Pix[p.y*l.W+p.x]; id != raster.Void {
					have = d.Space().Classes[id].Name
				}
				if have != p.want {
					t.Errorf("%s: %s at column %d, row %d, want %s", d.Item(0).ID, have, p.x, p.y, p.want)
				}
			}
		})
	}
}

// Nothing is wrong with any of the samples.
func TestRealCheck(t *testing.T) {
	root := realData(t)
	for _, o := range []Options{
		{Layout: "cityscapes", Root: "samples/cityscapes", Split: "train"},
		{Layout: "cityscapes", Root: "samples/cityscapes", Split: "val"},
		{Layout: "synthia-seqs", Root: "samples/synthia"},
		{Layout: "carla", Root: "samples/carla"},
		{Layout: "camvid", Root: "camvid", Split: "val"},
		{Layout: "camvid", Root: "camvid", Split: "val", Map: "camvid-cityscapes"},
	} {
		t.Run(o.Layout+" "+o.Split, func(t *testing.T) {
			o.Root = filepath.Join(root, o.Root)
			if !exists(o.Root) {
				t.Skipf("no %s in T2SDA_REAL_DATA", o.Root)
			}
			r := mustCheck(t, o, CheckOptions{Previews: 1})
			if r.Stops() || len(r.Good) != r.Images || r.Previews[0].Labels == nil {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}
