//go:build !linux

package orchestrator

import "syscall"

// ChildProcess puts a child into a process group of its own, so that an
// interrupt from the terminal reaches it once, through this process.
func ChildProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
