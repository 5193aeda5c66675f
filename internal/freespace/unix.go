//go:build unix

// Package freespace tells how much room a disk has.
package freespace

import "golang.org/x/sys/unix"

// Of returns the bytes that may still be written to a folder's disk; false where that
// cannot be told.
func Of(dir string) (bytes uint64, ok bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}
