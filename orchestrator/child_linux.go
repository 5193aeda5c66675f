package orchestrator

import "syscall"

// ChildProcess puts a child into a process group of its own, so that an
// interrupt from the terminal reaches it once, through this process: a second
// one would end it at once. Should this process die, the child saves and exits.
func ChildProcess() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
