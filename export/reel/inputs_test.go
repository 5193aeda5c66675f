package reel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/datasets"
)

// names are those of what is written.
func (in inputs) names() (all []string) {
	for _, e := range in.entries {
		all = append(all, e.name)
	}
	return all
}

// emptyFiles makes empty files below a new folder, which becomes the working one.
func emptyFiles(t *testing.T, names ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range names {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFindInputs(t *testing.T) {
	emptyFiles(t, "d/a.JPG", "d/b.webp", "d/c.tif", "d/sub/a.bmp", "d/note.txt", "d/e.heic", "f#1.png", "#1.png", "x[1].png", "p/1/i.png", "p/2/i.png")
	all := []string{"a", "b", "c", "sub/a"}
	tests := map[string]struct {
		paths         []string
		stdin         string
		o             Options
		names, passed []string
	}{
		"folder":              {paths: []string{"d"}, names: all, passed: []string{"d/e.heic", "d/note.txt"}},
		"include":             {paths: []string{"d"}, o: Options{Include: []string{"a.*", "c"}, Exclude: []string{"sub/*"}}, names: []string{"a", "c"}, passed: []string{"d/e.heic", "d/note.txt"}},
		"file":                {paths: []string{"f#1.png", "x[1].png"}, names: []string{"f#1", "x[1]"}},
		"pattern":             {paths: []string{"d/?.*"}, names: []string{"a", "b", "c"}, passed: []string{"d/e.heic"}},
		"pattern of folders":  {paths: []string{"d*"}, names: all, passed: []string{"d/e.heic", "d/note.txt"}},
		"pattern, same names": {paths: []string{"p/*/i.png"}, names: []string{"1/i", "2/i"}},
		"names":               {paths: []string{"-"}, stdin: "\ufefff#1.png\r\nd/note.txt\r\n\r\nd/b.webp", names: []string{"f#1", "b"}, passed: []string{"d/note.txt"}},
		"files, same names":   {paths: []string{"p/1/i.png", "p/2/i.png", "d/b.webp", "p/2/../1/i.png"}, names: []string{"p/1/i", "p/2/i", "d/b"}},
		"file without ending": {paths: []string{"d/note.txt"}, names: []string{"note"}},
		"file and its folder": {paths: []string{"d/sub/a.bmp", "d/sub"}, names: []string{"a"}},
		"names, comments":     {paths: []string{"-"}, stdin: "# night\n#1.png\nd/b.webp \n", names: []string{"#1", "b"}},
		"names, one gone":     {paths: []string{"-", "also.gone"}, o: Options{KeepGoing: true}, stdin: "d/gone.png\nd/b.webp", names: []string{"gone", "b", "also"}},
		"names, zero bytes":   {paths: []string{"-"}, stdin: "d/a.JPG\x00d/sub/a.bmp\x00", names: []string{"a", "sub/a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.o.Stdin = strings.NewReader(test.stdin)
			in, err := test.o.find(test.paths)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.names, in.names()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.passed, in.passed); diff != "" {
				t.Error(diff)
			}
		})
	}
	for path, want := range map[string]string{"q*": "no file matches q*", "gone.png": "gone.png", "-": "no names to read", "[": "syntax error", "d/**/*.png": "d/**/*.png: ** is not read: name the folder"} {
		o := Options{Stdin: strings.NewReader("\n")}
		if _, err := o.find([]string{path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := (Options{Include: []string{"z*"}}).find([]string{"d"}); err == nil || !strings.Contains(err.Error(), "no images in d that the patterns to include and exclude leave (") {
		t.Error(err)
	}
	emptyFiles(t, "d/x.heic")
	if _, err := (Options{}).find([]string{"d"}); err == nil || !strings.Contains(err.Error(), "no images in d (looked for .png, ") || !strings.Contains(err.Error(), "x.heic") {
		t.Error(err)
	}
}

// Files of one name beside and above where the program runs: nothing may become a file outside of the
// folder of results.
func TestNamesFromAbove(t *testing.T) {
	emptyFiles(t, "p/1/i.png", "p/2/i.png", "p/i.png")
	t.Chdir("p/1")
	for want, paths := range map[string][]string{"1/i 2/i": {"i.png", "../2/i.png"}, "2/i i": {"../2/i.png", "../i.png"}, "i 1/i": {"../i.png", "i.png"}} {
		in, err := (Options{}).find(paths)
		if have := strings.Join(in.names(), " "); err != nil || have != want {
			t.Errorf("%q are called %q (%v), want %q", paths, have, err, want)
		}
	}
}

// Of a data set, labels are no inputs.
func TestFindInputsOfDataset(t *testing.T) {
	emptyFiles(t, "leftImg8bit/val/a/a_0_leftImg8bit.png", "gtFine/val/a/a_0_gtFine_labelIds.png", "leftImg8bit/val/a/x.heic")
	d, err := datasets.Open(datasets.Options{Layout: "cityscapes", Root: ".", Split: "val"})
	if err != nil {
		t.Fatal(err)
	}
	in, err := Options{Dataset: d}.find(nil)
	if err != nil || len(in.entries) != 1 || in.entries[0].name != "a/a_0_leftImg8bit" || len(in.passed) != 1 {
		t.Errorf("%+v, %v", in, err)
	}
}
