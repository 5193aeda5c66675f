package ortweb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/internal/packages"
	"t2sda/internal/sha256sum"
)

// The browser's runtime is that of the program.
func TestVersion(t *testing.T) {
	if Version != engine.Version {
		t.Errorf("onnxruntime-web %s beside ONNX Runtime %s", Version, engine.Version)
	}
}

// clientOn puts an npm on a PATH of its own that delivers an archive of the content.
func clientOn(t *testing.T, content string) packages.Archive {
	t.Helper()
	dir := t.TempDir()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "package/dist/a.mjs", Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	pkg := filepath.Join(dir, "pkg")
	if err := os.WriteFile(pkg, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\n/bin/cp '" + pkg + "' web-1.tgz\n"
	if err := os.WriteFile(filepath.Join(dir, "npm"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	sum := sha512.Sum512(b.Bytes())
	return packages.Archive{Name: "web", Version: "1", SHA512: hex.EncodeToString(sum[:])}
}

func TestInstall(t *testing.T) {
	a := clientOn(t, "a script")
	files := []packages.Member{member("a.mjs", sha256sum.Of([]byte("a script")))}
	dir := filepath.Join(t.TempDir(), "deep", "cache")
	for _, want := range []string{"fetching web 1 with npm", "already there"} {
		var progress bytes.Buffer
		got, err := install(t.Context(), dir, &progress, a, files)
		if err != nil || got != dir || !strings.Contains(progress.String(), want) {
			t.Fatalf("%q, %v, progress %q, want %q", got, err, progress.String(), want)
		}
	}
	if have, err := os.ReadFile(filepath.Join(dir, "a.mjs")); err != nil || string(have) != "a script" {
		t.Errorf("%q, %v", have, err)
	}
	a.SHA512 = strings.Repeat("0", 128)
	if _, err := install(t.Context(), t.TempDir(), nil, a, files); err == nil || !strings.Contains(err.Error(), "nothing was installed") {
		t.Errorf("another package: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := install(t.Context(), t.TempDir(), nil, a, files); err == nil || !strings.Contains(err.Error(), "npm is not installed") {
		t.Errorf("without npm: %v", err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	if _, err := Find(dir); err == nil || !strings.Contains(err.Error(), "is not in "+dir) {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, WasmScript), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(dir); err == nil || !strings.Contains(err.Error(), "is not the file of onnxruntime-web") {
		t.Errorf("another file: %v", err)
	}
}
