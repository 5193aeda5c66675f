package orchestrator

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// affinity names the cores that this process may run on.
func affinity() string {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return ""
	}
	return fmt.Sprint(set)
}
