package orchestrator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"t2sda/configs"
	"t2sda/internal/atomicfile"
)

// runDir returns the directory of a new run, output/name or output/name-2, …,
// or with resume the newest one that exists.
func runDir(cfg configs.Config, resume bool) (string, error) {
	base := filepath.Join(cfg.Output, cfg.Name)
	if resume {
		return newestRun(base)
	}
	if err := atomicfile.TryDir(cfg.Output); err != nil {
		return "", fmt.Errorf("output: %w", err)
	}
	if err := os.MkdirAll(cfg.Output, 0o755); err != nil {
		return "", fmt.Errorf("output: %w", err)
	}
	for n := 1; ; n++ {
		dir := numbered(base, n)
		err := os.Mkdir(dir, 0o755) // fails where it exists: runs that start together get a directory each
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("output: %w", err)
		}
	}
}

// claimDir returns the directory of a new run, or of the one to resume, locked.
func claimDir(cfg configs.Config, o Options) (dir string, lock *os.File, err error) {
	if dir = o.Run; dir == "" {
		if dir, err = runDir(cfg, o.Resume); err != nil {
			return "", nil, err
		}
	}
	lock, err = lockDir(dir)
	return dir, lock, err
}

// placedIn returns the configuration with name and output of the run in dir,
// which may have been moved.
func placedIn(cfg configs.Config, dir string) (configs.Config, error) {
	cfg.Name = filepath.Base(dir)
	here, err := os.Stat(dir)
	if err != nil {
		return cfg, err
	}
	if there, err := os.Stat(filepath.Join(cfg.Output, cfg.Name)); err == nil && os.SameFile(here, there) {
		return cfg, nil
	}
	cfg.Output, err = filepath.Abs(filepath.Dir(dir))
	return cfg, err
}

// lockDir makes this process the only one that trains in dir, which it creates
// if need be, until the file is closed or the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	if err := atomicfile.TryDir(dir); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil, errors.Is(err, errors.ErrUnsupported): // some network file systems know no locks
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = errors.New("another process is training there: wait for it, or begin a run of another name or output (name=…, output=…)")
	}
	return nil, errors.Join(fmt.Errorf("%s: %w", dir, err), f.Close())
}

func newestRun(base string) (string, error) {
	newest := ""
	for n := 1; ; n++ {
		dir := numbered(base, n)
		_, err := os.Stat(dir)
		switch {
		case err == nil:
			newest = dir
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("output: %w", err)
		case newest == "":
			return "", fmt.Errorf("nothing to resume: there is no run in %s", base)
		default:
			return newest, nil
		}
	}
}

// numbered is the directory of the n-th run of a name.
func numbered(base string, n int) string {
	if n == 1 {
		return base
	}
	return fmt.Sprintf("%s-%d", base, n)
}

// keepConfig writes the configuration unless the directory has one.
func keepConfig(disk atomicfile.Disk, cfg configs.Config, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, ConfigFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeConfig(disk, cfg, dir)
}

func writeConfig(disk atomicfile.Disk, cfg configs.Config, dir string) error {
	if err := disk.MkdirAll(dir); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	text, err := cfg.YAML()
	if err != nil {
		return err
	}
	return disk.Write(filepath.Join(dir, ConfigFile), text)
}

// keepCommand appends the command line to those that began and resumed the run,
// one a line. The same one several times in a row is kept once.
func keepCommand(disk atomicfile.Disk, dir, command string) error {
	before, err := readCommands(dir)
	if err != nil || command == "" || before == command || strings.HasSuffix(before, "\n"+command) {
		return err
	}
	if before != "" {
		before += "\n"
	}
	return disk.Write(filepath.Join(dir, commandsFile), []byte(before+command+"\n"))
}

// readCommands returns the command lines of [keepCommand], "" if there are none.
func readCommands(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, commandsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

// begun reports whether a run's training, or its baseline's, has begun: from
// its first iteration on there is something to resume.
func begun(dir string) bool {
	for _, d := range []string{dir, filepath.Join(dir, baselineName)} {
		if exists(filepath.Join(d, eventsFile)) {
			return true
		}
	}
	return false
}

// IsRun reports whether dir is the directory of a run, which may be under way or
// have ended.
func IsRun(dir string) bool {
	has := func(name string) bool { return exists(filepath.Join(dir, name)) }
	return has(ConfigFile) && (has(lockFile) || has(eventsFile))
}

// discardUnused removes the directory of a run that failed before it trained,
// so that the next attempt finds its name free.
func discardUnused(dir string) {
	if begun(dir) {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(dir, rankLogs)) // the pattern is sound
	// What was not written by us stays, and with it the directory.
	for _, path := range append(logs,
		filepath.Join(dir, baselineName, ConfigFile), filepath.Join(dir, baselineName, recordFile), filepath.Join(dir, baselineName),
		filepath.Join(dir, ConfigFile), filepath.Join(dir, commandsFile), filepath.Join(dir, recordFile), filepath.Join(dir, lockFile), dir,
	) {
		_ = os.Remove(path)
	}
}
