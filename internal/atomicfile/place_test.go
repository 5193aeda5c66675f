package atomicfile

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func fifo(t *testing.T, path string) {
	t.Helper()
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Type()
}

// TestLinksAreFollowed: what links lead to is replaced, they are not; a target
// that is not there yet is made.
func TestLinksAreFollowed(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	makeDir(t, at("far/deep"), "")
	if err := os.WriteFile(at("old"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	link(t, "far/deep", at("folder"))
	link(t, "old", at("one"))
	link(t, at("one"), at("two"))                // a chain, absolute
	link(t, "new", at("dangling"))               // nothing there
	link(t, "../up", at("far/deep/relative"))    // to far/up, as the link's own folder has it
	link(t, "folder/../beside", at("backwards")) // far/beside, not beside
	for _, c := range []struct{ path, target string }{
		{"one", "old"}, {"two", "old"}, {"dangling", "new"}, {"folder/relative", "far/up"}, {"backwards", "far/beside"},
	} {
		for name, way := range ways {
			text := c.path + name
			if err := errors.Join(Try(at(c.path)), way(at(c.path), func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				return err
			})); err != nil {
				t.Errorf("%s: %v", c.path, err)
				continue
			}
			if got := read(t, at(c.target)); got != text {
				t.Errorf("%s: %s holds %q, want %q", c.path, c.target, got, text)
			}
			if mode(t, at(c.path)) != os.ModeSymlink {
				t.Errorf("%s is no link any more", c.path)
			}
		}
	}
	only(t, dir, "backwards", "dangling", "far", "folder", "new", "old", "one", "two")
	link(t, "circle", at("circle"))
	if err := Write(at("circle"), nil); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link to itself: %v", err)
	}
}

// TestFIFO: its reader gets the bytes, and it stays.
func TestFIFO(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fifo")
	fifo(t, path)
	if err := Try(path); err != nil { // does not wait for a reader
		t.Error(err)
	}
	got := make(chan string)
	go func() {
		text, err := os.ReadFile(path)
		if err != nil {
			text = []byte(err.Error())
		}
		got <- string(text)
	}()
	if err := Write(path, []byte("through")); err != nil {
		t.Error(err)
	}
	if text := <-got; text != "through" {
		t.Errorf("the reader got %q", text)
	}
	if mode(t, path) != os.ModeNamedPipe {
		t.Error("the FIFO is none any more")
	}
	only(t, dir, "fifo")
}

// TestDevice writes into a device of the test's own.
func TestDevice(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "null")
	if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Skip("no device can be made here:", err)
	}
	link(t, "null", filepath.Join(dir, "link"))
	for _, name := range []string{"null", "link"} {
		err := errors.Join(Try(filepath.Join(dir, name)), Write(filepath.Join(dir, name), []byte("away")))
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
			t.Skip("devices cannot be opened here:", err)
		}
		if err != nil {
			t.Error(err)
		}
	}
	if mode(t, path)&os.ModeCharDevice == 0 {
		t.Error("the device is none any more")
	}
	only(t, dir, "link", "null")
}

// TestOpenFile: a path that stands for a descriptor, as /dev/stdout does, is
// written through it, where it stands.
func TestOpenFile(t *testing.T) {
	if _, err := os.Stat("/dev/fd"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "stdout")
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name := filepath.Join("/dev/fd", strconv.Itoa(int(f.Fd())))
	link(t, name, path)
	say := func(text string) {
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	say("before ")
	if err := errors.Join(Try(path), Write(path, []byte("written "))); err != nil {
		t.Fatal(err)
	}
	say("after")
	if got := read(t, f.Name()); got != "before written after" {
		t.Errorf("have %q", got)
	}
	only(t, dir, "log", "stdout")
	r, err := os.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := Try(filepath.Join("/dev/fd", strconv.Itoa(int(r.Fd())))); err == nil {
		t.Error("a file that is open for reading only would be written to")
	}
}

// TestTry: what cannot be written to is told, and nothing changes by asking.
func TestTry(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	makeDir(t, at("folder"), "")
	if err := Write(at("file"), []byte("old")); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	link(t, "none/x", at("astray"))
	for path, want := range map[string]string{
		"folder":       "is a folder",
		"folder/":      "is a folder",
		"none/x":       "there is no folder",
		"none/y/x":     "there is no folder",
		"astray":       "there is no folder",
		"file/x":       "not a directory",
		"socket":       "is a socket",
		"file":         "",
		"new":          "",
		"folder/new":   "",
		"folder/f/../": "not a directory",
	} {
		for what, err := range map[string]error{"Try": Try(dir + "/" + path), "Write": nil} {
			if what == "Write" {
				if want == "" {
					continue
				}
				err = Write(dir+"/"+path, nil)
			}
			if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
				t.Errorf("%s(%s): %v, want %q", what, path, err, want)
			}
		}
	}
	if got := read(t, at("file")); got != "old" {
		t.Errorf("the file holds %q", got)
	}
	only(t, dir, "astray", "file", "folder", "socket")
	only(t, at("folder"), "f")
}

func TestTryDir(t *testing.T) {
	dir := t.TempDir()
	makeDir(t, filepath.Join(dir, "folder"), "")
	link(t, "folder", filepath.Join(dir, "link"))
	link(t, "none", filepath.Join(dir, "astray"))
	for path, want := range map[string]string{
		"folder": "", "folder/a/b": "", "a/b/c": "", "link": "", "link/a": "",
		"folder/f": "is a file", "folder/f/a/b": "is a file", "astray": "is a link to none", "astray/a": "is a link to none",
	} {
		err := TryDir(filepath.Join(dir, path))
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	only(t, dir, "astray", "folder", "link")
	only(t, filepath.Join(dir, "folder"), "f")
}

// TestNoPermission needs a user whom permissions bind.
func TestNoPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755) // for the removal
	if err := errors.Join(Try(path), Write(path, []byte("new"))); err != nil {
		t.Errorf("a file that may be written to: %v", err)
	}
	if got := read(t, path); got != "new" {
		t.Errorf("have %q", got)
	}
	for _, err := range []error{Try(path + "b"), Write(path+"b", nil), TryDir(dir), TryDir(filepath.Join(dir, "x/y"))} {
		if !errors.Is(err, os.ErrPermission) || strings.Contains(err.Error(), ".try.") {
			t.Errorf("have %v", err)
		}
	}
}

// TestTarget: all names of a file that is, or will be, lead to one target.
func TestTarget(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	for link, to := range map[string]string{"early": "new.json", "folder": ".", "chain": "folder/early", "null": "/dev/null"} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	want := filepath.Join(root, "new.json")
	for _, path := range []string{"new.json", "./new.json", "early", "folder/new.json", "chain", want} {
		if have := Target(path); have != want {
			t.Errorf("%s leads to %q, want %q", path, have, want)
		}
	}
	for _, path := range []string{"null", "/dev/null", "/dev/stdout", "no/such/folder"} {
		if have := Target(path); have != "" {
			t.Errorf("%s leads to %q, want nothing", path, have)
		}
	}
}
