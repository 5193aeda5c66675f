// Package faulttest lets the operations of a file system fail, one after the other, for
// tests of what writes files.
package faulttest

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"t2sda/internal/atomicfile"
)

// The operations that may fail.
const (
	Open       = "open"
	Write      = "write"
	SyncFile   = "sync a file"
	SyncFolder = "sync a folder"
	Close      = "close"
	Rename     = "rename"
	Mkdir      = "mkdir"
	Remove     = "remove"
)

// Kind is a way in which operations fail.
type Kind struct {
	Name  string
	Of    []string // operations of which one fails; nil: any
	Err   error    // what it fails with
	Half  bool     // a write writes half of its data before
	Stays bool     // so do all after it
}

// ErrDead is what a process gets of operations after its death, which do nothing.
var ErrDead = errors.New("the process is dead")

// Kinds are the ways in which disks are known to fail.
var Kinds = []Kind{
	{Name: "open fails (EMFILE)", Of: []string{Open}, Err: unix.EMFILE},
	{Name: "mkdir fails (ENOSPC)", Of: []string{Mkdir}, Err: unix.ENOSPC},
	{Name: "write fails (ENOSPC)", Of: []string{Write}, Err: unix.ENOSPC},
	{Name: "write fails (EIO)", Of: []string{Write}, Err: unix.EIO},
	{Name: "write is short (ENOSPC)", Of: []string{Write}, Err: unix.ENOSPC, Half: true},
	{Name: "sync of a file fails (EIO)", Of: []string{SyncFile}, Err: unix.EIO},
	{Name: "sync of a folder fails (EIO)", Of: []string{SyncFolder}, Err: unix.EIO},
	{Name: "close fails (EIO)", Of: []string{Close}, Err: unix.EIO},
	{Name: "rename fails (EIO)", Of: []string{Rename}, Err: unix.EIO},
	{Name: "remove fails (EIO)", Of: []string{Remove}, Err: unix.EIO},
	{Name: "the disk is full, and stays so", Of: []string{Open, Mkdir, Write}, Err: unix.ENOSPC, Half: true, Stays: true},
	{Name: "the disk fails, and stays so", Err: unix.EIO, Stays: true},
	{Name: "the process dies", Err: ErrDead, Half: true, Stays: true},
}

// Dies tells whether the kind is the death of the process.
func (k Kind) Dies() bool { return k.Err == ErrDead }

// Op is an operation.
type Op struct {
	Kind, Path string
	To         string // of a rename
}

func (o Op) String() string {
	if o.To != "" {
		return fmt.Sprintf("%s %s to %s", o.Kind, o.Path, o.To)
	}
	return o.Kind + " " + o.Path
}

// System is the operating system but for the n-th operation of a kind's, from 0. It does
// not wait for disks.
type System struct {
	kind Kind
	n    int
	seen int
	Done []Op // in order, the one that failed included
	Hit  *Op  // the one that failed first; nil: none was the n-th
}

// New returns a system that fails once, or from then on.
func New(k Kind, n int) *System { return &System{kind: k, n: n} }

// fails notes an operation and returns the error that it shall have.
func (s *System) fails(op Op) error {
	s.Done = append(s.Done, op)
	if len(s.kind.Of) > 0 && !slices.Contains(s.kind.Of, op.Kind) {
		return nil
	}
	s.seen++
	switch {
	case s.seen == s.n+1:
		s.Hit = &op
	case s.Hit == nil || !s.kind.Stays:
		return nil
	}
	return &fs.PathError{Op: op.Kind, Path: op.Path, Err: s.kind.Err}
}

// OpenFile implements [atomicfile.System].
func (s *System) OpenFile(name string, flag int, mode fs.FileMode) (atomicfile.File, error) {
	if err := s.fails(Op{Kind: Open, Path: name}); err != nil {
		return nil, err
	}
	f, err := atomicfile.OS().OpenFile(name, flag, mode)
	if err != nil {
		return nil, err
	}
	return &file{f, s, flag == 0}, nil
}

// Mkdir implements [atomicfile.System].
func (s *System) Mkdir(name string, mode fs.FileMode) error {
	if err := s.fails(Op{Kind: Mkdir, Path: name}); err != nil {
		return err
	}
	return atomicfile.OS().Mkdir(name, mode)
}

// Rename implements [atomicfile.System].
func (s *System) Rename(from, to string) error {
	if err := s.fails(Op{Rename, from, to}); err != nil {
		return err
	}
	return atomicfile.OS().Rename(from, to)
}

// Exchange implements [atomicfile.System].
func (s *System) Exchange(a, b string) error {
	if err := s.fails(Op{Rename, a, b}); err != nil {
		return err
	}
	return atomicfile.OS().Exchange(a, b)
}

// Remove implements [atomicfile.System].
func (s *System) Remove(name string) error {
	if err := s.fails(Op{Kind: Remove, Path: name}); err != nil {
		return err
	}
	return atomicfile.OS().Remove(name)
}

// RemoveAll implements [atomicfile.System].
func (s *System) RemoveAll(name string) error {
	if err := s.fails(Op{Kind: Remove, Path: name}); err != nil {
		return err
	}
	return atomicfile.OS().RemoveAll(name)
}

// file is an open one of a System.
type file struct {
	atomicfile.File
	system *System
	folder bool
}

func (f *file) Write(p []byte) (n int, err error) {
	if err = f.system.fails(Op{Kind: Write, Path: f.Name()}); err == nil {
		return f.File.Write(p)
	}
	if k := f.system.kind; k.Half && f.system.seen == f.system.n+1 {
		n, _ = f.File.Write(p[:len(p)/2]) // what is told of it is err
	}
	return n, err
}

func (f *file) Sync() error {
	kind := SyncFile
	if f.folder {
		kind = SyncFolder
	}
	return f.system.fails(Op{Kind: kind, Path: f.Name()})
}

// Close closes the file in any case, as the operating system does.
func (f *file) Close() error {
	return errors.Join(f.system.fails(Op{Kind: Close, Path: f.Name()}), f.File.Close())
}
