package engine

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"t2sda/internal/packages"
)

const (
	testLibrary  = "pretend this is a shared library"
	testProvider = "and this its CUDA provider"
)

// fixture is an installation against fake clients on a PATH of their own.
type fixture struct {
	installer
	bin      string // the PATH; scripts use absolute names for all else
	progress bytes.Buffer
}

func sha256Hex(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

func tgz(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}))
		_, err := w.Write([]byte(content))
		must(t, err)
	}
	must(t, errors.Join(w.Close(), z.Close()))
	return b.Bytes()
}

func wheel(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		f, err := w.Create(name)
		must(t, err)
		_, err = f.Write([]byte(content))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// newFixture pins the given archives; a client is on the PATH once script is called for it.
func newFixture(t *testing.T, npm, pip []byte) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{bin: filepath.Join(dir, "bin")}
	must(t, os.Mkdir(f.bin, 0o755))
	t.Setenv("PATH", f.bin)
	must(t, os.WriteFile(filepath.Join(dir, "pkg.tgz"), npm, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "pkg.whl"), pip, 0o644))
	sum := sha512.Sum512(npm)
	lib := func(path string) packages.Member {
		return packages.Member{Path: path, As: "lib.so.1", SHA256: sha256Hex([]byte(testLibrary))}
	}
	f.platform, f.Dir, f.Progress = "test/cpu", filepath.Join(dir, "cache", "deep"), &f.progress
	f.pins = map[string]source{
		"npm test/cpu": {archive: packages.Archive{Name: "node-pkg", Version: Version, SHA512: hex.EncodeToString(sum[:])}, members: []packages.Member{lib("package/bin/lib.so.1")}},
		"pip test/cpu": {archive: packages.Archive{Name: "pip-pkg", Version: Version, SHA256: sha256Hex(pip)}, tag: "some_linux", members: []packages.Member{lib("capi/lib.so")}},
		"pip-cuda test/cpu": {archive: packages.Archive{Name: "gpu-pkg", Version: Version, SHA256: sha256Hex(pip)}, tag: "some_linux", members: []packages.Member{
			lib("capi/lib.so"), {Path: "capi/cuda.so", As: "cuda.so", SHA256: sha256Hex([]byte(testProvider))},
		}},
	}
	return f
}

func goodFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixture(t,
		tgz(t, map[string]string{"package/README": "x", "package/bin/lib.so.1": testLibrary}),
		wheel(t, map[string]string{"capi/other.so": "x", "capi/lib.so": testLibrary, "capi/cuda.so": testProvider}))
}

// script puts a client on the PATH.
func (f *fixture) script(t *testing.T, name, body string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(f.bin, name), []byte("#!/bin/sh\n"+body), 0o755))
}

// working adds clients that check their arguments and hand out the archives.
func (f *fixture) working(t *testing.T, names ...string) {
	t.Helper()
	dir := filepath.Dir(f.bin)
	for _, name := range names {
		switch name {
		case "npm":
			f.script(t, "npm", fmt.Sprintf("[ \"$*\" = 'pack --ignore-scripts node-pkg@%s' ] || { echo \"npm got $*\"; exit 9; }\n/bin/cp %s/pkg.tgz node-pkg-1.tgz\n", Version, dir))
		default:
			f.script(t, name, fmt.Sprintf(`while [ $# -gt 0 ]; do case "$1" in --version) exit 0;; --dest) dest="$2";; --platform) tag="$2";; esac; last="$1"; shift; done
[ "$tag" = some_linux ] || { echo "no platform"; exit 9; }
case "$last" in *-pkg==%s) ;; *) echo "asked for $last"; exit 9;; esac
/bin/cp %s/pkg.whl "$dest/pkg.whl"
`, Version, dir))
		}
	}
}

func (f *fixture) wantInstalled(t *testing.T, path string, err error) {
	t.Helper()
	must(t, err)
	if path != filepath.Join(f.Dir, "lib.so.1") {
		t.Errorf("path %s", path)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != testLibrary {
		t.Errorf("%q, %v", data, err)
	}
	f.wantNoLeftovers(t)
}

func (f *fixture) wantNoLeftovers(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(f.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

func (f *fixture) wantNothing(t *testing.T) {
	t.Helper()
	f.wantNoLeftovers(t)
	if _, err := os.Stat(filepath.Join(f.Dir, "lib.so.1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a library was installed: %v", err)
	}
}

func TestInstall(t *testing.T) {
	for _, c := range []struct {
		method  string
		cuda    bool
		clients []string
		by      string
	}{
		{"", false, []string{"npm", "pip"}, "npm"},
		{"auto", false, []string{"pip"}, "pip"},
		{"npm", false, []string{"npm"}, "npm"},
		{"pip", false, []string{"npm", "pip3"}, "pip"},
		{"pip", false, []string{"python3"}, "pip"},
		{"auto", true, []string{"npm", "pip"}, "pip-cuda"},
	} {
		t.Run(fmt.Sprint(c.method, c.cuda, c.clients), func(t *testing.T) {
			f := goodFixture(t)
			f.working(t, c.clients...)
			f.Method, f.CUDA = c.method, c.cuda
			path, err := f.install(t.Context())
			f.wantInstalled(t, path, err)
			if said := f.progress.String(); !strings.Contains(said, "with "+c.by+"\n") {
				t.Errorf("progress %q", said)
			}
			_, err = os.Stat(filepath.Join(f.Dir, "cuda.so"))
			if (err == nil) != c.cuda {
				t.Errorf("provider: %v", err)
			}
		})
	}
}

func TestInstallIsIdempotent(t *testing.T) {
	f := goodFixture(t)
	f.working(t, "npm")
	path, err := f.install(t.Context())
	f.wantInstalled(t, path, err)
	must(t, os.Remove(filepath.Join(f.bin, "npm"))) // offline from here on
	f.progress.Reset()
	path, err = f.install(t.Context())
	f.wantInstalled(t, path, err)
	if said := f.progress.String(); !strings.Contains(said, "already there") {
		t.Errorf("progress %q", said)
	}
	must(t, os.WriteFile(path, []byte("spoilt"), 0o644))
	_, err = f.install(t.Context())
	wantError(t, err, "npm is not installed", "pip is not installed")
	f.working(t, "npm")
	path, err = f.install(t.Context())
	f.wantInstalled(t, path, err)
}

func TestInstallFailures(t *testing.T) {
	good := tgz(t, map[string]string{"package/bin/lib.so.1": testLibrary})
	goodWheel := wheel(t, map[string]string{"capi/lib.so": testLibrary})
	for _, c := range []struct {
		name     string
		npm, pip []byte
		prepare  func(f *fixture)
		want     []string
	}{
		{"no client", good, goodWheel, func(*fixture) {}, []string{"with npm: npm is not installed", "with pip: pip is not installed"}},
		{"offline", good, goodWheel, func(f *fixture) {
			f.script(t, "npm", "echo 'npm error network' >&2; exit 1\n")
			f.script(t, "pip", "[ \"$1\" = --version ] || { echo 'no matching distribution' >&2; exit 1; }\n")
		}, []string{"npm pack: exit status 1: npm error network", "no matching distribution"}},
		{"truncated archive", good[:len(good)/2], goodWheel, func(f *fixture) { f.working(t, "npm", "pip") }, []string{"unpack node-pkg-1.tgz", "unexpected EOF"}},
		{"wrong archive", good, goodWheel, func(f *fixture) {
			f.working(t, "npm", "pip")
			f.script(t, "npm", "echo other > x.tgz\n")
		}, []string{"x.tgz has the digest", "pinned is", "nothing was installed"}},
		{"wrong library", tgz(t, map[string]string{"package/bin/lib.so.1": "evil"}), goodWheel, func(f *fixture) { f.working(t, "npm", "pip") }, []string{"package/bin/lib.so.1 has the digest"}},
		{"no library", tgz(t, map[string]string{"package/x": "x"}), goodWheel, func(f *fixture) { f.working(t, "npm") }, []string{"there is no package/bin/lib.so.1 in it"}},
		{"truncated wheel", good, goodWheel[:len(goodWheel)/2], func(f *fixture) { f.working(t, "pip"); f.Method = "pip" }, []string{"unpack pkg.whl", "not a valid zip file"}},
		{"nothing delivered", good, goodWheel, func(f *fixture) { f.script(t, "npm", "exit 0\n"); f.Method = "npm" }, []string{"npm left 0 files *.tgz"}},
		{"method", good, goodWheel, func(f *fixture) { f.Method = "apt" }, []string{`install method "apt": npm, pip or auto`}},
		{"npm has no CUDA", good, goodWheel, func(f *fixture) { f.Method, f.CUDA = "npm", true }, []string{"no CUDA provider, use pip"}},
		{"platform", good, goodWheel, func(f *fixture) { f.platform = "plan9/mips" }, []string{"no pinned ONNX Runtime library for plan9/mips", LibraryEnv}},
		{"folder", good, goodWheel, func(f *fixture) {
			must(t, os.WriteFile(filepath.Dir(f.Dir), nil, 0o644))
		}, []string{"is a file, not a folder"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.npm, c.pip)
			c.prepare(f)
			_, err := f.install(t.Context())
			wantError(t, err, c.want...)
			if c.name != "folder" {
				f.wantNothing(t)
			}
		})
	}
}

func TestInstallIsCancelled(t *testing.T) {
	f := goodFixture(t)
	f.script(t, "npm", "exec /bin/sleep 60\n")
	f.working(t, "pip")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := f.install(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("cancelling took %v", took)
	}
	f.wantNothing(t)
}

// TestPinsAreWhole guards the table against slips.
func TestPinsAreWhole(t *testing.T) {
	for _, key := range []string{"npm linux/amd64", "npm linux/arm64", "pip linux/amd64", "pip linux/arm64", "pip-cuda linux/amd64"} {
		if _, ok := pins()[key]; !ok {
			t.Errorf("no pin for %s", key)
		}
	}
	for key, src := range pins() {
		client, platform, _ := strings.Cut(key, " ")
		if len(src.archive.SHA256) != 64 && len(src.archive.SHA512) != 128 {
			t.Errorf("%s: archive digest %q %q", key, src.archive.SHA256, src.archive.SHA512)
		}
		if (client == "npm") != (src.tag == "") {
			t.Errorf("%s: platform tag %q", key, src.tag)
		}
		goos, _, _ := strings.Cut(platform, "/")
		if src.members[0].As != libraryName(goos) {
			t.Errorf("%s: discovery looks for %s, not for %s", key, libraryName(goos), src.members[0].As)
		}
		for _, m := range src.members {
			if len(m.SHA256) != 64 {
				t.Errorf("%s: digest of %s", key, m.Path)
			}
		}
	}
}
