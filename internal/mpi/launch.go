package mpi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// launch is what a launcher says to a process that it starts.
type launch struct {
	by   string // the launcher
	size int    // of the job; 0: unknown
}

// launchers has the variable in which each launcher tells the number of ranks, in the
// order in which they are asked: an mpirun inside of a Slurm step goes before the step.
var launchers = []struct{ size, by string }{
	{"OMPI_COMM_WORLD_SIZE", "Open MPI's mpirun"},
	{"PMI_SIZE", "PMI (MPICH's mpiexec, or srun --mpi=pmi2)"},
	{"SLURM_STEP_NUM_TASKS", "srun"},
}

// launched reads the environment. ok: there may be more than one rank.
func launched(env func(name string) string) (l launch, ok bool, err error) {
	for _, k := range launchers {
		text := env(k.size)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return l, false, fmt.Errorf("%s=%s in the environment is no number of ranks", k.size, text)
		}
		return launch{k.by, n}, n > 1, nil
	}
	if env("PMIX_RANK") != "" {
		return launch{by: "PMIx"}, true, nil
	}
	if n, err := strconv.Atoi(env("WORLD_SIZE")); err == nil && n > 1 && env("RANK") != "" {
		return l, false, fmt.Errorf("WORLD_SIZE=%d and RANK are set, as torchrun does: ranks of t2sda find each other through MPI, start it as: mpirun -np %[1]d t2sda train … (or srun --mpi=pmix)", n)
	}
	return l, false, nil
}

// libraries are the names of the libraries to try, the launcher's own first.
func (l launch) libraries() []string {
	names := []string{"libmpi.so.40", "libmpi.so.12", "libmpich.so.12", "libmpi.so", "libmpi.dylib"}
	if strings.HasPrefix(l.by, "PMI ") {
		names[0], names[1], names[2] = names[1], names[2], names[0]
	}
	return names
}

// Start returns all ranks of the job that this process is one of, or nil if a launcher
// has started no others: then nothing is loaded.
func Start(env func(name string) string) (*World, error) {
	l, ok, err := launched(env)
	if err != nil || !ok {
		return nil, err
	}
	w, err := open(l.libraries())
	if err != nil {
		return nil, fmt.Errorf("%s has started several ranks: %w", l.by, err)
	}
	if l.size > 0 && w.size != l.size {
		_ = w.Close() // it is alone; what is wrong is told already
		return nil, fmt.Errorf("%s has started %d ranks, but %s knows of %d: start with the launcher of that library (srun: --mpi=pmix or --mpi=pmi2), or put the launcher's library first in LD_LIBRARY_PATH",
			l.by, l.size, w.library, w.size)
	}
	return w, nil
}

// Without returns an environment without what launchers say, for processes that are to be
// alone.
func Without(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"OMPI_COMM_WORLD_", "PMI_", "PMIX_", "SLURM_STEP_NUM_TASKS"} {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return name == "RANK" || name == "WORLD_SIZE"
	})
}
