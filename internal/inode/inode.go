// Package inode tells files apart by what they are, not by what they are called, so that none is
// written over by another of its names.
package inode

import (
	"os"
	"syscall"
)

// key is a file, whatever it is called.
type key struct{ device, number uint64 }

// Set holds files, each under one of its names. The zero Set is empty; files are added by one
// goroutine.
type Set struct{ names map[key]string }

// Add adds the file that a path leads to, if there is one.
func (s *Set) Add(path string) {
	k, ok := of(path)
	if !ok {
		return
	}
	if s.names == nil {
		s.names = map[key]string{}
	}
	s.names[k] = path
}

// Find returns the name under which the file that a path leads to was added; false where it was not,
// or where nothing is there.
func (s *Set) Find(path string) (name string, ok bool) {
	k, ok := of(path)
	if ok {
		name, ok = s.names[k]
	}
	return name, ok
}

func of(path string) (key, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return key{}, false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return key{}, false
	}
	return key{uint64(s.Dev), s.Ino}, true
}
