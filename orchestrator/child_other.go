//go:build !linux

package orchestrator

import "syscall"

// childProcess puts a child into a process group of its own, so that an
// interrupt from the terminal reaches it once, through this process.
func childProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
