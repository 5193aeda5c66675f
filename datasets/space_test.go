package datasets

import (
	"image/color"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
)

func TestBuiltInDataLoads(t *testing.T) {
	for _, name := range embeddedNames("spaces") {
		if _, err := loadSpace(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range Maps() {
		if _, err := LoadLabelMap(name); err != nil {
			t.Error(err)
		}
	}
	for _, row := range loadLayouts() {
		for _, k := range row.Kinds {
			if _, err := LoadLabelMap(k.Map); err != nil && k.Map != "" {
				t.Errorf("layout %s: %v", row.Name, err)
			}
		}
		if channelIndex(row.Channel) == badChannel {
			t.Errorf("layout %s: channel %q", row.Name, row.Channel)
		}
	}
}

func TestCityscapesPalette(t *testing.T) {
	s := Cityscapes19()
	if len(s.Classes) != 19 {
		t.Fatalf("%d classes", len(s.Classes))
	}
	for id, want := range map[int]Class{
		0:  {"road", [3]uint8{128, 64, 128}},
		5:  {"pole", [3]uint8{153, 153, 153}},
		10: {"sky", [3]uint8{70, 130, 180}},
		13: {"car", [3]uint8{0, 0, 142}},
		18: {"bicycle", [3]uint8{119, 11, 32}},
	} {
		if got := s.Classes[id]; got != want {
			t.Errorf("class %d is %v, want %v", id, got, want)
		}
	}
	if s.Index("train") != 16 || s.Index("zebra") != -1 {
		t.Error("Index does not find classes by name")
	}
	if camvid, err := loadSpace("camvid"); err != nil || len(camvid.Classes) != 11 {
		t.Errorf("CamVid has the classes %v, %v", camvid.Names(), err)
	}
}

// The tables of the data sets' papers, as the transfer literature uses them.
func TestBuiltInLabelMaps(t *testing.T) {
	cityscapes := map[int]uint8{}
	for train, raw := range []int{7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33} {
		cityscapes[raw] = uint8(train)
	}
	tests := map[string]struct {
		ids    map[int]uint8
		ignore []int
	}{
		"cityscapes": {cityscapes, []int{0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 255}},
		"gta5":       {cityscapes, []int{0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 34}},
		"synthia": {map[int]uint8{
			3: 0, 4: 1, 2: 2, 21: 3, 5: 4, 7: 5, 15: 6, 9: 7, 6: 8, 16: 9, 1: 10, 10: 11, 17: 12, 8: 13, 18: 14, 19: 15, 20: 16, 12: 17, 11: 18,
		}, []int{0, 13, 14, 22}},
		"synthia-seqs": {map[int]uint8{
			1: 10, 2: 2, 3: 0, 4: 1, 5: 4, 6: 8, 7: 5, 8: 13, 9: 7, 10: 11, 11: 18, 12: 0, 15: 6,
		}, []int{0, 13, 14}},
		"carla": {map[int]uint8{
			1: 2, 2: 4, 4: 11, 5: 5, 6: 0, 7: 0, 8: 1, 9: 8, 10: 13, 11: 3, 12: 7,
		}, []int{0, 3}},
		"camvid-cityscapes": {map[int]uint8{
			0: 10, 1: 2, 2: 5, 3: 0, 4: 1, 5: 8, 6: 7, 7: 4, 8: 13, 9: 11, 10: 12,
		}, []int{11}},
		"cityscapes-camvid": {map[int]uint8{
			23: 0, 11: 1, 17: 2, 7: 3, 8: 4, 21: 5, 19: 6, 20: 6, 13: 7, 26: 8, 24: 9, 25: 10, 33: 10,
		}, []int{0, 1, 2, 3, 4, 5, 6, 9, 10, 12, 14, 15, 16, 18, 22, 27, 28, 29, 30, 31, 32, 255}},
		"camvid": {map[int]uint8{
			0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 10: 10,
		}, []int{11}},
	}
	for name, test := range tests {
		m, err := LoadLabelMap(name)
		if err != nil {
			t.Fatal(err)
		}
		got := map[int]uint8{}
		for raw := range 65536 {
			if id, ok := m.TrainID(raw); ok && id != raster.Void {
				got[raw] = id
			}
		}
		if diff := cmp.Diff(test.ids, got); diff != "" {
			t.Errorf("%s: ids (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(test.ignore, m.IDs(raster.Void)); diff != "" {
			t.Errorf("%s: ignored ids (-want +got):\n%s", name, diff)
		}
	}
}

func TestOwnLabelMap(t *testing.T) {
	dir := t.TempDir()
	m, err := LoadLabelMap(writeFile(t, filepath.Join(dir, "garden.yaml"), []byte(threeClasses)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ground", "plant", "animal"}, m.Space().Names()); diff != "" {
		t.Error(diff)
	}
	if m.Space().Name != "garden" {
		t.Errorf("space is named %q", m.Space().Name)
	}
	for raw, want := range map[int]int{0: 255, 1: 0, 2: 1, 5: 1, 3: 2, 255: 255, 4: -1, -1: -1, 256: -1, 70000: -1} {
		id, ok := m.TrainID(raw)
		if got := int(id); ok != (want >= 0) || ok && got != want {
			t.Errorf("id %d → %d, %v; want %d", raw, got, ok, want)
		}
	}
	if diff := cmp.Diff([]int{2, 5}, m.IDs(1)); diff != "" {
		t.Error(diff)
	}
	onto, err := LoadLabelMap(writeFile(t, filepath.Join(dir, "onto.yaml"), []byte("space: garden.yaml\nclasses:\n - {name: animal, ids: [7]}\n")))
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := onto.TrainID(7); !ok || id != 2 || !onto.Space().Equal(m.Space()) {
		t.Errorf("a map onto another file's classes: id 7 → %d, %v", id, ok)
	}
	space, err := loadSpace(filepath.Join(dir, "onto.yaml"))
	if err != nil || !space.Equal(m.Space()) {
		t.Errorf("the class list of a map onto another: %v, %v", space, err)
	}
}

func TestBadLabelMaps(t *testing.T) {
	tests := map[string]struct{ yaml, want string }{
		"empty":            {"", "the file is empty"},
		"unknown keys":     {"classes:\n - {name: a, id: [1], colour: 3}\n", ": line 2: unknown key id; line 2: unknown key colour"},
		"no number":        {"classes:\n - {name: a, ids: [x]}\n", ": line 2: cannot unmarshal !!str `x` into int"},
		"no classes":       {"ignore: [0]\n", "no classes"},
		"no name":          {"classes:\n - {ids: [1]}\n", "class 0 has no name"},
		"same name":        {"classes:\n - {name: a, ids: [1]}\n - {name: a, ids: [2]}\n", `classes 0 and 1 are both named "a"`},
		"same id":          {"classes:\n - {name: a, ids: [1]}\n - {name: b, ids: [1]}\n", "id 1 is given to both class a and class b"},
		"ignored and not":  {"classes:\n - {name: a, ids: [1]}\nignore: [1]\n", "id 1 is given to both class a and ignore"},
		"large id":         {"classes:\n - {name: a, ids: [65536]}\n", "class a: id 65536 is outside of 0–65535"},
		"no ids":           {"classes:\n - {name: a}\n", "no class has ids"},
		"color":            {"classes:\n - {name: a, color: [1, 2], ids: [1]}\n", `class "a": color [1 2] is not three numbers of 0–255`},
		"some categories":  {"classes:\n - {name: a, ids: [1], category: x}\n - {name: b, ids: [2]}\n", `class "b": either all classes have a category or none`},
		"subset":           {"classes:\n - {name: a, ids: [1]}\nsubsets:\n - {name: s, classes: [a, a]}\n", `subset "s": class "a" is not in the list, or twice`},
		"empty subset":     {"classes:\n - {name: a, ids: [1]}\nsubsets:\n - {name: s}\n", `subset "s": want a name and at least one class`},
		"space's subsets":  {"space: cityscapes\nclasses:\n - {name: road, ids: [1]}\nsubsets:\n - {name: s, classes: [road]}\n", "subsets come from cityscapes"},
		"space's category": {"space: cityscapes\nclasses:\n - {name: road, ids: [1], category: flat}\n", `class "road": the category comes from cityscapes`},
		"not in space":     {"space: cityscapes\nclasses:\n - {name: zebra, ids: [1]}\n", `class "zebra" is not in cityscapes (road, `},
		"twice":            {"space: cityscapes\nclasses:\n - {name: car, ids: [1]}\n - {name: car, ids: [2]}\n", `class "car" is listed twice`},
		"recolored":        {"space: cityscapes\nclasses:\n - {name: car, color: [1, 2, 3], ids: [1]}\n", `class "car": the colour comes from cityscapes`},
		"unknown space":    {"space: moon\nclasses:\n - {name: car, ids: [1]}\n", `unknown class list "moon" (built in: camvid, cityscapes; or a .yaml file)`},
		"own space":        {"space: m.yaml\nclasses:\n - {name: car, ids: [1]}\n", "space: names the file itself"},
		"many":             {"classes:\n" + manyClasses(256), "256 classes; train ids are 8-bit and 255 is void, so at most 255 fit"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, filepath.Join(t.TempDir(), "m.yaml"), []byte(test.yaml))
			wantError(t, func() error { _, err := LoadLabelMap(file); return err }(), file, test.want)
		})
	}
	_, err := LoadLabelMap("nowhere")
	wantError(t, err, `unknown label map "nowhere" (built in: camvid, camvid-cityscapes, carla, `)
	_, err = LoadLabelMap("")
	wantError(t, err, `unknown label map ""`)
	_, err = LoadLabelMap("/nowhere/m.yaml")
	wantError(t, err, "/nowhere/m.yaml: no such file")
}

func manyClasses(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" - {name: c" + strings.Repeat("x", i) + "}\n")
	}
	return b.String()
}

// wantError fails unless err's text holds all of the parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q\n lacks %q", err, p)
		}
	}
}

func TestColorizeAndOverlay(t *testing.T) {
	s := Space{Classes: []Class{{"a", [3]uint8{10, 20, 30}}, {"b", [3]uint8{200, 100, 0}}}}
	l := &raster.Labels{W: 2, H: 2, Pix: []uint8{0, 1, raster.Void, 7}}
	got := s.Colorize(l)
	for i, want := range []color.NRGBA{{10, 20, 30, 255}, {200, 100, 0, 255}, {0, 0, 0, 255}, {0, 0, 0, 255}} {
		if c := got.NRGBAAt(i%2, i/2); c != want {
			t.Errorf("pixel %d is %v, want %v", i, c, want)
		}
	}
	img := raster.NewImage(2, 2)
	for i := range img.Pix {
		img.Pix[i] = 100
	}
	over := s.Overlay(img, l, 0.5)
	for i, want := range []color.NRGBA{{55, 60, 65, 255}, {150, 100, 50, 255}, {100, 100, 100, 255}, {100, 100, 100, 255}} {
		if c := over.NRGBAAt(i%2, i/2); c != want {
			t.Errorf("overlaid pixel %d is %v, want %v", i, c, want)
		}
	}
	wide := s.Overlay(raster.NewImage(4, 4), l, 1)
	if c := wide.NRGBAAt(3, 0); c != (color.NRGBA{200, 100, 0, 255}) {
		t.Errorf("labels are not brought to the image's size: %v", c)
	}
}

func TestColorsOfClassesWithoutOne(t *testing.T) {
	seen := map[[3]uint8]int{}
	for i := range 40 {
		c := distinctColor(i)
		if j, ok := seen[c]; ok {
			t.Errorf("classes %d and %d share colour %v", j, i, c)
		}
		seen[c] = i
	}
}

// Cityscapes' categories are the official ones, and SYNTHIA's classes those of
// its papers; a map by name or file leads to its space's.
func TestGrouping(t *testing.T) {
	names := func(groups []Group, space Space) map[string]string {
		out := map[string]string{}
		for _, g := range groups {
			for _, id := range g.Classes {
				out[g.Name] += space.Classes[id].Name + " "
			}
		}
		return out
	}
	m, err := LoadLabelMap("gta5")
	if err != nil {
		t.Fatal(err)
	}
	categories := names(m.Grouping().Categories, m.Space())
	if len(m.Grouping().Categories) != 7 || categories["flat"] != "road sidewalk " || categories["human"] != "person rider " ||
		categories["vehicle"] != "car truck bus train motorcycle bicycle " {
		t.Errorf("categories %v", categories)
	}
	subsets := m.Grouping().Subsets
	if len(subsets) != 2 || len(subsets[0].Classes) != 16 || len(subsets[1].Classes) != 13 {
		t.Fatalf("subsets %v", subsets)
	}
	for _, absent := range []string{"terrain", "truck", "train", "wall", "fence", "pole"} {
		if id := m.Space().Index(absent); slices.Contains(subsets[1].Classes, id) {
			t.Errorf("%s has %s", subsets[1].Name, absent)
		}
	}
	if plain, err := LoadLabelMap("camvid"); err != nil || plain.Grouping().Categories != nil || plain.Grouping().Subsets != nil {
		t.Errorf("camvid: %v, %v", plain.Grouping(), err)
	}
}

// TestMapOf: layouts tell their classes without any file where all of their label files
// have the same; a map that is given comes first.
func TestMapOf(t *testing.T) {
	for _, c := range []struct{ layout, labelMap, want string }{
		{"cityscapes", "", "cityscapes"}, // ids or train ids
		{"gta5", "", "cityscapes"},
		{"camvid", "", "camvid"},
		{"cityscapes", "camvid", "camvid"},
		{"idd", "", ""}, // csTrainId or level3Id
		{"idd", "idd", "idd"},
		{"", "", ""},
	} {
		m, err := MapOf(c.layout, c.labelMap)
		if err != nil || (m == nil) != (c.want == "") || m != nil && m.Space().Name != c.want {
			t.Errorf("%q, %q: have %+v, %v", c.layout, c.labelMap, m, err)
		}
	}
	m, err := MapOf("cityscapes", "")
	if err != nil || len(m.Grouping().Subsets) != 2 {
		t.Errorf("have %+v, %v", m, err)
	}
	if _, err := MapOf("citscapes", ""); err == nil {
		t.Error("a layout that there is not has a map")
	}
}
