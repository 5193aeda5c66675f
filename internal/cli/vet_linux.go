package cli

import "golang.org/x/sys/unix"

// boundMemory keeps this process from taking more than the machine has: what a model
// asks for beyond that fails here, and nothing else has to go for it. Providers of
// devices reserve address space far beyond what they use; there is no bound for them.
func boundMemory(device string) error {
	var info unix.Sysinfo_t
	if device != "cpu" || unix.Sysinfo(&info) != nil {
		return nil
	}
	all := uint64(info.Totalram) * uint64(info.Unit)
	return unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: all, Max: all})
}
