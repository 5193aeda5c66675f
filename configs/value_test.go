package configs

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// field returns the value of a dotted key.
func fieldOf(c Config, want string) (value any) {
	walk(reflect.ValueOf(c), "", func(key string, v reflect.Value) {
		if key == want {
			value = v.Interface()
		}
	})
	return value
}

// TestValuesByType: what follows key= is read by the field's type, text as it
// stands.
func TestValuesByType(t *testing.T) {
	for _, c := range []struct {
		setting string
		want    any
	}{
		{"model.init=", ""},
		{"data.source.split=", ""},
		{"name=007", "007"},
		{"name=1e3", "1e3"},
		{"name=2026-01-02", "2026-01-02"},
		{"name=true", "true"},
		{"name=null", "null"},
		{"name=run #2", "run #2"},
		{"name=a: b", "a: b"},
		{"name=*x", "*x"},
		{`name="007"`, "007"},
		{`name='it''s'`, "it's"},
		{`name="a" and "b"`, `"a" and "b"`},
		{"data.source.root=/data/set #2", "/data/set #2"},
		{"data.source.root=/a=b", "/a=b"},
		{"seed=18446744073709551615", uint64(math.MaxUint64)},
		{"seed=010", uint64(10)}, // and not 8
		{"seed=0x10", uint64(16)},
		{"SEED=7", uint64(7)},
		{"train.iterations=4e4", 40000},
		{"train.iterations=40_000", 40000},
		{"train.batch=2.0", 2},
		{"train.batch= 2 ", 2},
		{"train.lr=1", 1.0},
		{"train.lr=.5", 0.5},
		{"train.lr=6e-5", 6e-5},
		{"data.flip=false", false},
		{"data.target.include=*_night*", []string{"*_night*"}},
		{"data.target.include=a*, b*", []string{"a*", "b*"}},
		{"data.target.include=[a*, *b]", []string{"a*", "*b"}},
		{`data.target.include=["a*", '*b, c',]`, []string{"a*", "*b, c"}},
		{"data.target.include=0001TP_00[67]*,[ab],x{1,2}", []string{"0001TP_00[67]*", "[ab]", "x{1,2}"}},
		{"data.target.include=[[ab]*, it's]", []string{"[ab]*", "it's"}},
		{"data.target.include=", []string{}},
		{"data.target.include=[]", []string{}},
		{"loss.feature_distance.classes=traffic light,person", []string{"traffic light", "person"}},
		{"translate.engine=blur", Engines{"blur": 1}},
	} {
		cfg, err := load("streets", nil)
		if err != nil {
			t.Fatal(err)
		}
		given, err := readSettings([]string{c.setting})
		if err == nil {
			cfg, err = (&layers{name: "streets", where: map[string]string{}}).read(given)
		}
		key, _, _ := strings.Cut(strings.ToLower(c.setting), "=")
		if diff := cmp.Diff(c.want, fieldOf(cfg, key)); err != nil || diff != "" {
			t.Errorf("%s: %v %s", c.setting, err, diff)
		}
	}
}

// TestTextIsWrittenAsText: what is written as YAML reads back, whatever YAML
// would make of the text unquoted.
func TestTextIsWrittenAsText(t *testing.T) {
	for _, text := range []string{"007", "1e3", "2026-01-02", "run #2", "true", "~", "a: b", "*x", "'x", `"x"`, " x ", "[a]", "\xff", "a\nb", "-"} {
		c := Default()
		c.Name, c.Data.Source.Split, c.Data.Source.Include = text, text, []string{text, text}
		file, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Read(write(t, "c.yaml", string(file)))
		if err != nil || back.Name != text || back.Data.Source.Split != text || !slices.Equal(back.Data.Source.Include, c.Data.Source.Include) || back.Hash() != c.Hash() {
			t.Errorf("%q is read back as %q, %q, %q, %v", text, back.Name, back.Data.Source.Split, back.Data.Source.Include, err)
		}
	}
}

// TestValuesOfOtherTypes: a value that a field does not take is an error that
// names the key, on the command line, and the line in a file.
func TestValuesOfOtherTypes(t *testing.T) {
	for _, c := range []struct{ key, text, want string }{
		{"train.batch", "2.9", "want a whole number, have 2.9"},
		{"train.iterations", "1.5", "want a whole number, have 1.5"},
		{"train.batch", "true", "want a whole number, have true"},
		{"train.batch", "", "is empty: want a whole number"},
		{"train.batch", "2 3", "want a whole number, have 2 3"},
		{"train.batch", "99999999999999999999", "which is out of range"},
		{"train.batch", "1e30", "which is out of range"},
		{"train.batch", "2000000000000", "want at most 1099511627776"},
		{"train.batch", "5000", "want at most 4096"},
		{"model.head_width", "65537", "want at most 65536"},
		{"seed", "-1", "want a whole number from 0 up, have -1"},
		{"seed", "1.5", "want a whole number from 0 up, have 1.5"},
		{"seed", "18446744073709551616", "which is out of range"},
		{"train.lr", "inf", "want a number, have inf"},
		{"train.lr", ".inf", "want a number, have .inf"},
		{"train.lr", "nan", "want a number, have nan"},
		{"train.lr", "1e400", "which is out of range"},
		{"train.lr", "1e-400", "too small to tell from 0"},
		{"train.lr", "0x1p-3", "want a number, have 0x1p-3"},
		{"train.lr", "false", "want a number, have false"},
		{"train.lr", "6e-5x", "want a number, have 6e-5x"},
		{"data.flip", "1", "want true or false, have 1"},
		{"data.flip", "yes", "want true or false, have yes"},
		{"data.crop.width", "70000", "want at most 65536×65536"},
		{"runtime.device", "cuda:x", "want cpu, cuda, cuda:N or auto"},
		{"runtime.device", "cpu:1", "want cpu, cuda, cuda:N or auto"},
		{"data.source.root", "~/set", "want ${HOME}/set, or the whole path"},
		{"data.cache", "$SCRATCH/c", "want ${SCRATCH}/c, or the whole path"},
		{"data.target.list", "~ann/l.txt", "are for shells: want the whole path"},
	} {
		section, last := c.key[:max(strings.LastIndexByte(c.key, '.'), 0)], lastPart(c.key)
		_, err := Load("streets", []string{c.key + "=" + c.text})
		if err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(c.key, ".width")) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: have %v, want … %s", c.key, c.text, err, c.want)
		}
		file := fmt.Sprintf("extends: streets\n%s: %s\n", c.key, c.text)
		if section != "" {
			file = "extends: streets\n" + strings.ReplaceAll(section, ".", ": {") + ": {" + last + ": " + c.text + strings.Repeat("}", strings.Count(section, ".")+1)
		}
		_, err = Load(write(t, "c.yaml", file), nil)
		if err == nil || !strings.Contains(err.Error(), "c.yaml: line 2: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\nhave %v, want … %s", file, err, c.want)
		}
		sweep := fmt.Sprintf("name: s\nconfig: streets\nseeds: [1]\ngrid:\n  %s: [%s]\n", strings.Replace(c.key, "seed", "data.streets.seed", 1), c.text)
		s, err := LoadSweep(writeSweep(t, sweep))
		if err == nil {
			_, err = s.Variants(nil)
		}
		if c.text != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("sweep: %s: %s: have %v", c.key, c.text, err)
		}
	}
}

// TestFilesByType: text of a file stays text, too; sections may be dotted,
// empty, or merged from others.
func TestFilesByType(t *testing.T) {
	c, err := Load(write(t, "c.yaml", `
extends: streets
name: 007
seed: 010
model:
  init: # emptied
train.lr: 1.0e-3
loss.pull: {tau: "0.5"}
data:
  source: &base 
    split: 2026-01-02
    include: "a, b*"
    exclude: c, d*
  target:
    <<: *base
    split: 1e3
    include: [0, true, "*x"]
runtime:
  # threads: 4
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"name": "007", "seed": uint64(10), "model.init": "", "train.lr": 1e-3, "loss.pull.tau": 0.5, "train.batch": 2,
		"data.source.split": "2026-01-02", "data.source.include": []string{"a, b*"}, "data.source.exclude": []string{"c", "d*"},
		"data.target.split": "1e3", "data.target.include": []string{"0", "true", "*x"}, "data.target.exclude": []string{"c", "d*"},
	} {
		if diff := cmp.Diff(want, fieldOf(c, key)); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	for _, f := range []struct{ text, want string }{
		{"train: {lr: 1, lr: 2}", `line 1: key "lr" is there twice, see line 1`},
		{"train: {lr: 1}\ntrain.lr: 2", `line 2: key "train.lr" is there twice, see line 1`},
		{"train: {lr: 1, batch: x}\nseed: -1", "seed: want a whole number from 0 up, have -1"},
		{"train: 5", "line 1: train: want key: value pairs"},
		{"seed: [1]", "line 1: seed: want a whole number from 0 up, have a list"},
		{"seed: 1\n---\nseed: 2", "want one YAML document, have several"},
		{"data: {target: {include: [*_night*]}}", `needs quotes, as in ["*_night*"]`},
		{"data: {target: {include: [*night]}}", `needs quotes, as in ["*_night*"]`},
		{"train: &a {<<: *a}", "merged into itself"},
		{"extends: [a]", "extends: want a preset or a file"},
		{"trian: {lr: 1}", "did you mean train?"},
		{"train: {leer: 1, iteration: 3}", "did you mean train.iterations?"},
	} {
		_, err := Load(write(t, "c.yaml", f.text), nil)
		if err == nil || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%s: have %v, want … %s", f.text, err, f.want)
		}
	}
}

// TestSuggestions: a mistyped key gets the nearest.
func TestSuggestions(t *testing.T) {
	for key, want := range map[string]string{
		"train.iteration": "train.iterations", "iteration": "train.iterations", "lr": "train.lr", "loss.tau": "loss.pull.tau",
		"trian.bacth": "train.batch", "bacth": "train.batch", "model.int": "model.init", "moon": "",
	} {
		if have := suggestion(key); want == "" && have != "" || want != "" && !strings.Contains(have, want) {
			t.Errorf("%s: %s, want %s", key, have, want)
		}
	}
	for section, want := range map[string]string{
		"data.crop": "is a section, want one of its keys: data.crop.height, data.crop.width",
		"loss":      "loss.pull, ",
	} {
		if _, err := Load("streets", []string{section + "=1"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", section, err)
		}
	}
	if _, err := Load("street", nil); err == nil || !strings.Contains(err.Error(), "did you mean streets?") {
		t.Errorf("have %v", err)
	}
}

// TestFetchedInitIsNoPath: names to fetch stay as they are, in a file, in a run's own
// file and in the hash.
func TestFetchedInitIsNoPath(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"fetch:mobilenet_v2", "fetch:hf:nvidia/mit-b0@v1.0:a/b.bin", "fetch:https://host/net-0123abcd.pth"} {
		if err := os.WriteFile("mine.yaml", []byte("extends: streets\nmodel: {init: '"+name+"'}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Load("mine.yaml", nil)
		if err != nil || c.Model.Init != name {
			t.Errorf("%s became %s, %v", name, c.Model.Init, err)
		}
	}
	if !relative("output", "fetch:here") {
		t.Error("fetch:here is a folder like any other, but for model.init")
	}
}

// TestBucketIsNoPath: the name of a bucket is the same from anywhere.
func TestBucketIsNoPath(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("mine.yaml", []byte("extends: streets\ndata: {source: {root: 's3://b/train-{000..009}.tar'}, fetched_mb: 5}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load("mine.yaml", nil)
	if err != nil || c.Data.Source.Root != "s3://b/train-{000..009}.tar" || c.Data.FetchedMB != 5 {
		t.Errorf("%+v, %v", c.Data, err)
	}
	if _, err := Load("streets", []string{"data.fetched_mb=-1"}); err == nil || !strings.Contains(err.Error(), "data.fetched_mb") {
		t.Error(err)
	}
}

// TestRelativePaths: of a file, to the file; of presets and settings, to the
// working directory; of a run's own file, to where the run began, and the hash is
// the same from everywhere.
func TestRelativePaths(t *testing.T) {
	home, other := t.TempDir(), t.TempDir()
	t.Chdir(home)
	text := "extends: streets\ndata:\n  source: {root: ../set, list: l.txt, map: m.yaml}\n  target: {map: cityscapes}\nmodel: {init: w.safetensors}\noutput: out\n"
	if err := os.MkdirAll(filepath.Join(home, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("conf", "mine.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"data.source.root": filepath.Join(home, "set"), "data.source.list": filepath.Join(home, "conf", "l.txt"),
		"data.source.map": filepath.Join(home, "conf", "m.yaml"), "data.target.map": "cityscapes",
		"model.init": filepath.Join(home, "conf", "w.safetensors"), "output": filepath.Join(home, "conf", "out"),
		"data.target.root": "data/streets/camera", // the preset's
		"data.cache":       "here",                // the setting's
	}
	there, err := Load(file, []string{"data.cache=here"})
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range want {
		if have := fieldOf(there, key); have != value {
			t.Errorf("%s is %v, want %v", key, have, value)
		}
	}
	run, err := there.YAML()
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, "config.yaml", string(run))
	t.Chdir(other)
	elsewhere, err := Load(path, nil)
	if err != nil || elsewhere.Hash() != there.Hash() {
		t.Errorf("hash %s, elsewhere %s, %v", there.Hash(), elsewhere.Hash(), err)
	}
	if have := elsewhere.Data.Target.Root; have != filepath.Join(home, "data", "streets", "camera") {
		t.Errorf("the target is %s", have)
	}
	if again, err := elsewhere.YAML(); err != nil || string(again) != string(run) {
		t.Errorf("written elsewhere as\n%s%v", again, err)
	}
	if c, err := Load(filepath.Join(home, file), nil); err != nil || c.Hash() != there.Hash() || c.Output != there.Output {
		t.Errorf("the file itself, from elsewhere: %v", err)
	}
}

// TestRunsFromBefore: files of runs that do not say what their paths are
// relative to meant the working directory.
func TestRunsFromBefore(t *testing.T) {
	path := write(t, "config.yaml", "extends: streets\ndata: {source: {root: d}}\n")
	for _, c := range []struct{ name, want string }{{"", filepath.Join(filepath.Dir(path), "d")}, {"run.lock", "d"}} {
		name, want := c.name, c.want
		if name != "" {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if c, err := Load(path, nil); err != nil || c.Data.Source.Root != want {
			t.Errorf("beside %q: %s, %v; want %s", name, c.Data.Source.Root, err, want)
		}
	}
}

// TestSweepPaths: relative paths in a sweep are relative to its file, and its
// values are those of the fields' types.
func TestSweepPaths(t *testing.T) {
	path := writeSweep(t, `
name: s
config: streets
seeds: [1]
settings: {data.cache: c, data.source.split: 1e3}
grid:
  model.init: [w.safetensors, mit_nano]
  train.lr: [1e-3, 2.0e-3]
`)
	s, err := LoadSweep(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Variants([]string{"data.target.list=t.txt"})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	have := []string{v[0].Config.Data.Cache, v[0].Config.Data.Source.Split, v[0].Config.Model.Init, v[2].Config.Model.Init, v[0].Config.Data.Target.List, v[1].Name}
	want := []string{filepath.Join(dir, "c"), "1e3", filepath.Join(dir, "w.safetensors"), "mit_nano", "t.txt", "init=w.safetensors lr=2.0e-3"}
	if !slices.Equal(have, want) {
		t.Errorf("have %q\nwant %q", have, want)
	}
}

// TestBesideTheFile: what a file or a sweep starts from lies beside it, whatever it
// is called, unless it is a preset.
func TestBesideTheFile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"base": "extends: streets\nseed: 7\n", "c.yaml": "extends: ./base\n", "s.yaml": "name: s\nconfig: ./base\nseeds: [1]\nrows: [{name: a}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := Load(filepath.Join(dir, "c.yaml"), nil); err != nil || c.Seed != 7 {
		t.Errorf("seed %d, %v", c.Seed, err)
	}
	s, err := LoadSweep(filepath.Join(dir, "s.yaml"))
	if err != nil || s.Config != filepath.Join(dir, "base") {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, want := range map[string]string{"lambd": "did you mean lambda?", dir: dir} {
		if _, err := LoadSweep(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExtend: what was extended is neither the run before nor one that was
// planned as long.
func TestExtend(t *testing.T) {
	a := Default()
	a.Train.Iterations = 100
	b := a.Extend(50)
	c := b.Extend(10)
	long := a
	long.Train.Iterations = 150
	if a.Train.Extended != nil || b.Train.Iterations != 150 || !slices.Equal(c.Train.Extended, []int{100, 150}) {
		t.Errorf("%+v, %+v, %+v", a.Train, b.Train, c.Train)
	}
	hashes := []string{a.Hash(), b.Hash(), c.Hash(), long.Hash()}
	slices.Sort(hashes)
	if len(slices.Compact(hashes)) != 4 {
		t.Error("equal hashes")
	}
	earlier := c.Earlier()
	if len(earlier) != 2 || earlier[0].Hash() != a.Hash() || earlier[1].Hash() != b.Hash() {
		t.Errorf("earlier: %+v", earlier)
	}
	for it, want := range map[int]int{0: 100, 99: 100, 100: 150, 149: 150, 150: 160, 159: 160} {
		if have := c.Train.Phase(it); have != want {
			t.Errorf("iteration %d belongs to the schedule of %d, want %d", it, have, want)
		}
	}
	for _, bad := range [][]int{{0}, {50, 50}, {60, 40}, {100}} {
		a.Train.Extended = bad
		if err := a.Validate(); err == nil || !strings.Contains(err.Error(), "train.extended") {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if _, err := Load("streets", []string{"train.iterations=1"}); err != nil {
		t.Errorf("one iteration: %v", err)
	}
}
