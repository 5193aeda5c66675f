package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"t2sda/internal/atomicfile"
	"t2sda/internal/packages"
	"t2sda/internal/sha256sum"
)

// InstallOptions says where the library comes from and where it goes.
type InstallOptions struct {
	Dir      string    // empty: [CacheDir], where [Discover] looks
	Method   string    // npm | pip | auto (npm, else pip); empty is auto
	CUDA     bool      // the build with the CUDA provider (pip only, linux/amd64)
	Progress io.Writer // a line per step; nil for silence
}

// Install puts the pinned ONNX Runtime library into a folder and returns its
// path. It lets the npm or pip client fetch the package, checks the pinned
// digests of the package and of the library, and gives the library its name only
// when it is whole. A library that is already there and right is left alone; a
// wrong one is replaced.
func Install(ctx context.Context, o InstallOptions) (string, error) {
	in := installer{InstallOptions: o, pins: pins(), platform: runtime.GOOS + "/" + runtime.GOARCH}
	return in.install(ctx)
}

// installer is one installation; tests give it pins of their own.
type installer struct {
	InstallOptions
	pins     map[string]source
	platform string
}

func (in *installer) install(ctx context.Context) (string, error) {
	methods, err := in.methods()
	if err != nil {
		return "", err
	}
	if in.Dir == "" {
		if in.Dir, err = CacheDir(in.CUDA); err != nil {
			return "", fmt.Errorf("install ONNX Runtime: %w: set HOME or XDG_CACHE_HOME, or name a folder by --dir, and the library in it by %s", err, LibraryEnv)
		}
	}
	if file, ok := in.installed(methods); ok {
		in.say("ONNX Runtime %s is already there: %s", Version, file)
		return file, nil
	}
	if err := atomicfile.TryDir(in.Dir); err != nil {
		return "", fmt.Errorf("install ONNX Runtime: %w: choose another folder by --dir and name the library in it by %s", err, LibraryEnv)
	}
	if err := os.MkdirAll(in.Dir, 0o755); err != nil {
		return "", fmt.Errorf("install ONNX Runtime: %w", err)
	}
	var failures []error
	for _, method := range methods {
		file, err := in.from(ctx, method)
		if err == nil {
			in.say("ONNX Runtime %s installed: %s", Version, file)
			return file, nil
		}
		failures = append(failures, fmt.Errorf("with %s: %w", method, err))
		var digest *packages.DigestError
		if ctx.Err() != nil || errors.As(err, &digest) || !packages.IsClientFailure(err) {
			break // another client would not help, or must not paper over it
		}
		in.say("%s did not deliver: %v", method, err)
	}
	return "", fmt.Errorf("install ONNX Runtime %s into %s: %w", Version, in.Dir, errors.Join(failures...))
}

// methods lists the clients to try, in order.
func (in *installer) methods() ([]string, error) {
	var order []string
	switch {
	case in.Method != "" && in.Method != "auto" && in.Method != "npm" && in.Method != "pip":
		return nil, fmt.Errorf("install method %q: npm, pip or auto", in.Method)
	case in.CUDA && in.Method == "npm":
		return nil, errors.New("install method npm: its package has no CUDA provider, use pip")
	case in.CUDA:
		order = []string{"pip-cuda"}
	case in.Method == "npm", in.Method == "pip":
		order = []string{in.Method}
	default:
		order = []string{"npm", "pip"}
	}
	var known []string
	for _, m := range order {
		if _, ok := in.pins[m+" "+in.platform]; ok {
			known = append(known, m)
		}
	}
	if len(known) == 0 {
		what := "library"
		if in.CUDA {
			what = "CUDA library"
		}
		return nil, fmt.Errorf("there is no pinned ONNX Runtime %s for %s: set %s to a library of version %s", what, in.platform, LibraryEnv, Version)
	}
	return known, nil
}

// installed reports whether all files of one of the sources are in place.
func (in *installer) installed(methods []string) (string, bool) {
	for _, method := range methods {
		whole := true
		members := in.pins[method+" "+in.platform].members
		for _, m := range members {
			sum, err := sha256sum.File(filepath.Join(in.Dir, m.As))
			whole = whole && err == nil && sum == m.SHA256
		}
		if whole {
			return filepath.Join(in.Dir, members[0].As), true
		}
	}
	return "", false
}

// from fetches the package with one client and unpacks it.
func (in *installer) from(ctx context.Context, method string) (_ string, err error) {
	src := in.pins[method+" "+in.platform]
	temp, err := os.MkdirTemp("", "t2sda-install-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	in.say("fetching %s %s with %s", src.archive.Name, Version, method)
	var file string
	if method == "npm" {
		file, err = packages.NPM(ctx, temp, src.archive)
	} else {
		file, err = packages.Pip(ctx, temp, src.archive, packages.Wheel{Python: pythonTag, Platform: src.tag})
	}
	if err != nil {
		return "", err
	}
	if err := src.archive.Check(file); err != nil {
		return "", err
	}
	in.say("unpacking %s", filepath.Base(file))
	if err := packages.Unpack(ctx, file, src.members, in.Dir); err != nil {
		return "", err
	}
	return filepath.Join(in.Dir, src.members[0].As), nil
}

func (in *installer) say(format string, args ...any) {
	if in.Progress != nil {
		// Progress is for the eye; a closed terminal must not stop the work.
		_, _ = fmt.Fprintf(in.Progress, format+"\n", args...)
	}
}
