// Package mpitest starts ranks for tests.
package mpitest

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// Command returns the command that starts size ranks of a program by Open MPI, on this
// machine however few cores it has. Where there is no mpirun the test is skipped.
func Command(t testing.TB, size int, program string, args ...string) *exec.Cmd {
	t.Helper()
	mpirun, err := exec.LookPath("mpirun")
	if err != nil {
		t.Skip("there is no mpirun: install openmpi-bin")
	}
	words := append([]string{"--oversubscribe", "--bind-to", "none", "-np", strconv.Itoa(size), program}, args...)
	cmd := exec.CommandContext(t.Context(), mpirun, words...)
	// Containers know one user, root.
	cmd.Env = append(os.Environ(), "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
	return cmd
}
