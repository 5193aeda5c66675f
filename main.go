// Command t2sda trains semantic segmentation networks across domains, exports
// them as ONNX models and evaluates those.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"t2sda/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal kills at once: what was saved stays whole.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
