// Command t2sda trains semantic segmentation networks across domains, exports
// them as ONNX models and evaluates those.
package main

import (
	"context"
	"os"
	"syscall"
	"time"

	"t2sda/internal/cli"
	"t2sda/internal/interrupt"
	"t2sda/internal/terminal"
)

func main() {
	// SIGUSR1 is what schedulers can send ahead of time, and what mpirun passes on.
	ctx, stop := interrupt.Notify(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGUSR1)
	// Another signal, later, kills at once: what was saved stays whole. timeout(1) and
	// some schedulers send each signal to a process and to its group: that is one.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	os.Exit(cli.Run(ctx, os.Args[1:], terminal.Wrap(os.Stdout), terminal.Wrap(os.Stderr)))
}
