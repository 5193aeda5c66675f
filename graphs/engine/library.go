package engine

import (
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"t2sda/internal/sha256sum"
	"t2sda/internal/usercache"
)

// Version is the ONNX Runtime release that this program is built for and checked with.
const Version = "1.27.0"

// LibraryEnv is the environment variable that names the library file.
const LibraryEnv = "ONNXRUNTIME_LIB"

// installCommand mends a missing or wrong library.
const installCommand = "t2sda runtime install"

// LibraryError says in one sentence what is wrong with the ONNX Runtime library
// and what mends it.
type LibraryError struct {
	File   string // empty when none was found
	Reason string // completes "the ONNX Runtime library <File> …"
	Fix    string // what to do; empty is to run the install command
}

// Error returns the sentence.
func (e *LibraryError) Error() string {
	what, fix := e.Parts()
	return what + ": " + fix
}

// Parts returns what is wrong and what mends it.
func (e *LibraryError) Parts() (what, fix string) {
	fix = e.Fix
	if fix == "" {
		fix = "run `" + installCommand + "`"
	}
	if e.File == "" {
		return fmt.Sprintf("no ONNX Runtime library found (%s)", e.Reason), fix
	}
	return fmt.Sprintf("the ONNX Runtime library %s %s", e.File, e.Reason), fix
}

func wrongVersion(file, got string) error {
	return &LibraryError{File: file, Reason: fmt.Sprintf("is of version %s, not the %s this program needs", got, Version)}
}

// Discover returns the library file to load: the explicit one if it is not empty,
// else the one LibraryEnv names, else the one that [Install] put into the user's
// cache, else a system library. The first two must exist. The file is checked for
// being an ONNX Runtime of this machine's architecture and of [Version] as far as
// that can be told without loading it; errors are a *[LibraryError].
func Discover(explicit string) (string, error) {
	return discover(explicit, false, systemLibraries())
}

// DiscoverFor is Discover for a device, as [Options] name it: of what Install has put into
// the cache the build with its provider goes first. [Open] looks for the same.
func DiscoverFor(explicit, deviceName string) (string, error) {
	d, err := parseDevice(deviceName)
	if err != nil {
		return "", err
	}
	return discover(explicit, d.wantsCUDA(), systemLibraries())
}

// discover is Discover with a preference for the CUDA build among the cached ones.
func discover(explicit string, cuda bool, system []string) (string, error) {
	if explicit != "" {
		return named(explicit, "the one in the settings")
	}
	if file := os.Getenv(LibraryEnv); file != "" {
		return named(file, "named by "+LibraryEnv)
	}
	candidates := cachedLibraries(cuda)
	cached := len(candidates)
	candidates = append(candidates, system...)
	var wrong error
	for i, file := range candidates {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := inspect(file)
		if err == nil {
			return file, nil
		}
		if i < cached {
			return "", err // ours, and spoilt: say so rather than run another
		}
		if wrong == nil {
			wrong = err
		}
	}
	if wrong != nil {
		return "", wrong
	}
	missing := &LibraryError{Reason: fmt.Sprintf("neither set, nor in %s, nor in the cache, nor in the system's library folders", LibraryEnv)}
	if _, err := CacheDir(cuda); err != nil { // there is nothing to install into, nor to find what is installed by
		missing.Reason = fmt.Sprintf("neither set, nor in %s, nor in the system's library folders, and %v", LibraryEnv, err)
		missing.Fix = fmt.Sprintf("set HOME or XDG_CACHE_HOME and run `%s`, or name the library's file by %s", installCommand, LibraryEnv)
	}
	return "", missing
}

func named(file, how string) (string, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("library %s: %w", file, err)
	}
	if err := inspect(abs); err != nil {
		var lib *LibraryError
		if errors.As(err, &lib) {
			lib.File = fmt.Sprintf("%s (%s)", file, how)
		}
		return "", err
	}
	return abs, nil
}

// CacheDir returns the folder that [Install] fills when it is given none:
// <user's cache>/t2sda/onnxruntime/<version>, or …/<version>-cuda.
func CacheDir(cuda bool) (string, error) {
	base, err := os.UserCacheDir() // honours XDG_CACHE_HOME
	if err != nil {
		return "", fmt.Errorf("there is no cache folder (%w)", err)
	}
	return cacheIn(base, cuda), nil
}

func cacheIn(base string, cuda bool) string {
	version := Version
	if cuda {
		version += "-cuda"
	}
	return usercache.In(base, "onnxruntime", version)
}

// asInstalled refuses a library in the cache that is not, to the last byte, one of those
// that [Install] puts there: it takes some 20 ms. Libraries elsewhere are their owners'.
func asInstalled(file string, pins map[string]source, platform string) error {
	name := filepath.Base(file)
	if !slices.Contains(cachedLibraries(false), file) {
		return nil
	}
	sum, err := sha256sum.File(file)
	if err != nil {
		return err
	}
	for key, s := range pins {
		for _, m := range s.members {
			if strings.HasSuffix(key, " "+platform) && m.As == name && m.SHA256 == sum {
				return nil
			}
		}
	}
	return &LibraryError{File: file, Reason: "is not what was installed (its SHA-256 differs): damaged, or replaced by hand; a library of your own is named by " + LibraryEnv}
}

// homeless returns the cache in the home that the user database knows, where the
// environment has none of the user's own: services, cron and containers set no
// HOME, or /. What was installed is so found there, too.
func homeless() (base string, ok bool) {
	if home := os.Getenv("HOME"); os.Getenv("XDG_CACHE_HOME") != "" || home != "" && home != "/" {
		return "", false
	}
	u, err := user.Current()
	if err != nil || u.HomeDir == "" {
		return "", false
	}
	return filepath.Join(u.HomeDir, ".cache"), true
}

// cachedLibraries lists the places of the cache, the preferred build first.
func cachedLibraries(cuda bool) []string {
	var files []string
	for _, c := range []bool{cuda, !cuda} {
		if dir, err := CacheDir(c); err == nil {
			files = append(files, filepath.Join(dir, libraryName(runtime.GOOS)))
		}
		if base, ok := homeless(); ok {
			files = append(files, filepath.Join(cacheIn(base, c), libraryName(runtime.GOOS)))
		}
	}
	return files
}

// libraryName is the library's file name in the cache.
func libraryName(goos string) string {
	if goos == "darwin" {
		return "libonnxruntime.1.dylib"
	}
	return "libonnxruntime.so.1"
}

// systemLibraries lists the usual places of a system-wide installation.
func systemLibraries() []string {
	names := []string{"libonnxruntime.so." + Version, "libonnxruntime.so.1", "libonnxruntime.so"}
	dirs := []string{"/usr/local/lib", "/usr/lib", "/usr/lib64", "/opt/onnxruntime/lib"}
	switch {
	case runtime.GOOS == "darwin":
		names = []string{"libonnxruntime." + Version + ".dylib", "libonnxruntime.dylib"}
		dirs = []string{"/usr/local/lib", "/opt/homebrew/lib"}
	case runtime.GOARCH == "amd64":
		dirs = append(dirs, "/usr/lib/x86_64-linux-gnu")
	case runtime.GOARCH == "arm64":
		dirs = append(dirs, "/usr/lib/aarch64-linux-gnu")
	}
	var files []string
	for _, d := range dirs {
		for _, n := range names {
			files = append(files, filepath.Join(d, n))
		}
	}
	return files
}

// inspect checks a library file without loading it, since loading runs its code
// and a wrong one's complaints go to stderr.
func inspect(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &LibraryError{File: file, Reason: "does not exist"}
	case err != nil:
		return &LibraryError{File: file, Reason: fmt.Sprintf("cannot be read (%v)", err)}
	case info.IsDir():
		return &LibraryError{File: file, Reason: "is a folder, not a file"}
	}
	if runtime.GOOS == "darwin" {
		return inspectMachO(file)
	}
	return inspectELF(file)
}

// apiSymbol is the one symbol that every ONNX Runtime library exports.
const apiSymbol = "OrtGetApiBase"

func inspectELF(file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return &LibraryError{File: file, Reason: fmt.Sprintf("is not a shared library (%v)", err)}
	}
	defer f.Close() // only read
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if f.Machine != want {
		return wrongArchitecture(file, strings.TrimPrefix(f.Machine.String(), "EM_"))
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return &LibraryError{File: file, Reason: fmt.Sprintf("is not a whole shared library (%v)", err)}
	}
	for _, s := range symbols {
		if s.Name != apiSymbol || s.Section == elf.SHN_UNDEF {
			continue
		}
		// The release exports its symbols under the version node VERS_<release>.
		if v, ok := strings.CutPrefix(s.Version, "VERS_"); ok && v != Version {
			return wrongVersion(file, v)
		}
		return nil
	}
	return &LibraryError{File: file, Reason: "is a shared library, but not ONNX Runtime"}
}

func inspectMachO(file string) error {
	f, err := macho.Open(file)
	if err != nil {
		return &LibraryError{File: file, Reason: fmt.Sprintf("is not a shared library (%v)", err)}
	}
	defer f.Close() // only read
	want := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[runtime.GOARCH]
	if f.Cpu != want {
		return wrongArchitecture(file, f.Cpu.String())
	}
	if f.Symtab != nil {
		for _, s := range f.Symtab.Syms {
			if s.Name == "_"+apiSymbol {
				return nil
			}
		}
	}
	return &LibraryError{File: file, Reason: "is a shared library, but not ONNX Runtime"}
}

func wrongArchitecture(file, got string) error {
	return &LibraryError{File: file, Reason: fmt.Sprintf("is built for %s, but this machine is %s", got, runtime.GOARCH)}
}
