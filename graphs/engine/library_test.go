package engine

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/packages"
)

// onlyLinux skips tests about ELF files elsewhere.
func onlyLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs ELF libraries")
	}
}

// fakeLibrary compiles a shared library that exports OrtGetApiBase under the
// version node of an ONNX Runtime release.
func fakeLibrary(t *testing.T, path, version, body string) {
	t.Helper()
	onlyLinux(t)
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler")
	}
	dir := t.TempDir()
	source, script := filepath.Join(dir, "fake.c"), filepath.Join(dir, "fake.map")
	must(t, os.WriteFile(source, []byte(body), 0o644))
	must(t, os.WriteFile(script, []byte("VERS_"+version+" { global: *; };\n"), 0o644))
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	out, err := exec.Command(cc, "-shared", "-fPIC", "-o", path, source, "-Wl,--version-script="+script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

const apiBase = "const void *OrtGetApiBase(void) { return 0; }\n"

func TestDiscoveryOrder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv("HOME", dir)
	t.Setenv(LibraryEnv, "")
	plain, err := CacheDir(false)
	must(t, err)
	cuda, err := CacheDir(true)
	must(t, err)
	file := func(parts ...string) string {
		path := filepath.Join(parts...)
		fakeLibrary(t, path, Version, apiBase)
		return path
	}
	check := func(step, explicit string, wantCUDA bool, system []string, want string) {
		t.Helper()
		got, err := discover(explicit, wantCUDA, system)
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", step, got, err, want)
		}
	}
	system := []string{filepath.Join(dir, "none"), filepath.Join(dir, "old.so"), filepath.Join(dir, "usr", "lib.so")}
	_, err = discover("", false, system)
	wantError(t, err, "no ONNX Runtime library found", LibraryEnv, "`t2sda runtime install`")

	fakeLibrary(t, system[1], "1.20.1", apiBase)
	_, err = discover("", false, system)
	wantError(t, err, system[1], "version 1.20.1, not the "+Version)
	check("system", "", false, system, file(system[2]))
	cudaFile := file(cuda, libraryName("linux"))
	check("CUDA build for want of another", "", false, system, cudaFile)
	plainFile := file(plain, libraryName("linux"))
	check("cache", "", false, system, plainFile)
	check("cache for a CUDA device", "", true, system, cudaFile)
	env := file(dir, "env.so")
	t.Setenv(LibraryEnv, env)
	check("environment", "", true, system, env)
	explicit := file(dir, "explicit.so")
	check("explicit", explicit, false, system, explicit)

	t.Setenv(LibraryEnv, filepath.Join(dir, "gone.so"))
	_, err = discover("", false, system)
	wantError(t, err, "gone.so", "named by "+LibraryEnv, "does not exist", "`t2sda runtime install`")
	t.Setenv(LibraryEnv, "")
	must(t, os.Truncate(plainFile, 100))
	_, err = discover("", false, system)
	wantError(t, err, plainFile, "is not a", "`t2sda runtime install`")
}

func TestWrongLibraries(t *testing.T) {
	onlyLinux(t)
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	must(t, os.WriteFile(text, []byte("not a library at all"), 0o644))
	empty := filepath.Join(dir, "empty.so")
	must(t, os.WriteFile(empty, nil, 0o644))
	other := filepath.Join(dir, "other.so")
	fakeLibrary(t, other, Version, "int f(void) { return 0; }\n")
	old := filepath.Join(dir, "old.so")
	fakeLibrary(t, old, "1.22.0", apiBase)
	hollow := filepath.Join(dir, "hollow.so") // of the right version by its symbols, but no API inside
	fakeLibrary(t, hollow, Version, "static const void *api(unsigned v) { (void)v; return 0; }\n"+
		"static const char *version(void) { return \"1.27.0\"; }\n"+
		"static const struct { const void *(*a)(unsigned); const char *(*b)(void); } base = {api, version};\n"+
		"const void *OrtGetApiBase(void) { return &base; }\n")
	foreign := filepath.Join(dir, "foreign.so")
	data, err := os.ReadFile(old)
	must(t, err)
	machine := elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_X86_64
	}
	binary.LittleEndian.PutUint16(data[18:], uint16(machine)) // e_machine
	must(t, os.WriteFile(foreign, data, 0o644))
	truncated := filepath.Join(dir, "truncated.so")
	must(t, os.WriteFile(truncated, data[:len(data)/2], 0o644))

	for file, want := range map[string]string{
		filepath.Join(dir, "gone.so"): "does not exist",
		dir:                           "is a folder",
		text:                          "is not a shared library",
		empty:                         "is not a shared library",
		truncated:                     "is not a",
		other:                         "is a shared library, but not ONNX Runtime",
		old:                           "is of version 1.22.0, not the " + Version,
		foreign:                       "is built for " + strings.TrimPrefix(machine.String(), "EM_"),
		hollow:                        "cannot be loaded",
	} {
		_, err := Open(Options{Library: file})
		wantError(t, err, "the ONNX Runtime library "+file, want, ": run `t2sda runtime install`")
		var lib *LibraryError
		if !errors.As(err, &lib) {
			t.Errorf("%s: %T is not a LibraryError", file, err)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %q", file, err)
		}
	}
	if _, err := Discover(""); err == nil {
		runAdd(t, open(t, Options{}), []float32{1}, []float32{2}) // the failures left nothing behind
	}
}

// TestNoHome: without a home in the environment, what was installed is found in
// that of the user database; there is no other folder to install into than one
// that is named.
func TestNoHome(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "")
	u, err := user.Current()
	must(t, err)
	for _, home := range []string{"", "/"} {
		t.Setenv("HOME", home)
		want := filepath.Join(u.HomeDir, ".cache", "t2sda", "onnxruntime", Version, libraryName(runtime.GOOS))
		if have := cachedLibraries(false); !slices.Contains(have, want) {
			t.Errorf("HOME=%s: have %v, want %s among them", home, have, want)
		}
	}
	t.Setenv("HOME", "")
	_, err = Install(t.Context(), InstallOptions{})
	wantError(t, err, "set HOME or XDG_CACHE_HOME", "--dir", LibraryEnv)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if _, ok := homeless(); ok {
		t.Error("the environment names a cache")
	}
}

// TestAsInstalled: of a library in the cache every byte counts; others are not looked at.
func TestAsInstalled(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, err := CacheDir(false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file, content := filepath.Join(dir, libraryName(runtime.GOOS)), []byte("a library")
	pinned := map[string]source{
		"npm one/a": {members: []packages.Member{{As: filepath.Base(file), SHA256: sha256Hex(content)}}},
		"npm two/b": {members: []packages.Member{{As: filepath.Base(file), SHA256: sha256Hex([]byte("another"))}}},
	}
	for _, c := range []struct {
		content, platform string
		ok                bool
	}{{"a library", "one/a", true}, {"a librarx", "one/a", false}, {"another", "one/a", false}, {"another", "two/b", true}, {"", "one/a", false}} {
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		err := asInstalled(file, pinned, c.platform)
		if (err == nil) != c.ok || err != nil && (!strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), installCommand)) {
			t.Errorf("%q on %s: %v", c.content, c.platform, err)
		}
	}
	if err := asInstalled(filepath.Join(t.TempDir(), "own.so"), pinned, "one/a"); err != nil {
		t.Errorf("a library elsewhere: %v", err)
	}
}
