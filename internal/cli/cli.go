// Package cli is the command line: one file per command, each of which turns
// flags into a call of a package and prints what it returns.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"t2sda/configs"
	"t2sda/internal/interrupt"
	"t2sda/internal/shell"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitPassed  = 3 // done, but for inputs that were passed over
	// An interrupt's is [interrupt.ExitCode].
)

// usageError marks a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Run executes the command line and returns the process's exit code. Results go
// to out, messages to errs.
func Run(ctx context.Context, args []string, out, errs io.Writer) int {
	started := false
	root := newRoot()
	mark(root, &started)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !started { // cobra's own: unknown commands, arguments, missing flags
		err = usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
	}
	if !isQuiet(err) {
		say(errs, err)
	}
	if _, ok := interrupt.Text(err); ok {
		return interrupt.ExitCode(ctx)
	}
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	if errors.As(err, new(passedOver)) {
		return exitPassed
	}
	return exitFailure
}

// say tells an error.
func say(errs io.Writer, err error) {
	if text, ok := interrupt.Text(err); ok {
		fmt.Fprintln(errs, strings.TrimSuffix("t2sda: interrupted: "+text, ": "))
		return
	}
	fmt.Fprintln(errs, "t2sda:", err)
}

// mark makes every command note that its own code has begun.
func mark(cmd *cobra.Command, started *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			*started = true
			if err := finiteFlags(c); err != nil {
				return err
			}
			return run(c, args)
		}
	}
	for _, c := range cmd.Commands() {
		mark(c, started)
	}
}

// group is a command that only holds others. Cobra shows help for an unknown
// one of them, and succeeds; this fails.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return usageError{fmt.Errorf("unknown command %q for %q (see %[2]s --help)", args[0], cmd.CommandPath())}
	}}
	cmd.AddCommand(commands...)
	return cmd
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "t2sda",
		Short:         "Train segmentation networks across domains, export and evaluate them",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(trainCommand(), compareCommand(), sweepCommand(), evaluateCommand(), analyzeCommand(), exportCommand(), predictCommand(), serveCommand(),
		translateCommand(), dataCommand(), weightsCommand(), runtimeCommand(), verifyCommand(), configCommand(), doctorCommand(), benchCommand())
	return root
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}

// program is how the user calls this program, for messages that say what to do
// next.
func program() string {
	const name = "t2sda"
	if _, err := exec.LookPath(name); err == nil {
		return name
	}
	return os.Args[0]
}

// commandLine is how this process was called, to be typed again.
func commandLine() string { return shell.Quote(os.Args...) }

// configFlags are the flags of commands that read a configuration.
type configFlags struct {
	name  string
	words wordFlags
}

// add adds the flags, less the words that mean something else to the command.
func (f *configFlags) add(cmd *cobra.Command, but ...string) {
	f.words.add(cmd, but...)
	cmd.Flags().StringVarP(&f.name, "config", "c", "streets",
		"preset ("+strings.Join(configs.Presets(), ", ")+") or YAML file")
}

// load reads the configuration with the command's key=value arguments.
func (f *configFlags) load(settings []string) (configs.Config, error) {
	settings, err := f.words.settings(settings)
	if err != nil {
		return configs.Config{}, err
	}
	for _, s := range settings {
		if _, err := os.Stat(s); !strings.Contains(s, "=") && (err == nil || slices.Contains(configs.Presets(), s)) {
			return configs.Config{}, usageError{fmt.Errorf("%s: a configuration is named with -c %[1]s", s)}
		}
	}
	cfg, err := configs.Load(f.name, settings)
	if err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// newLogger writes one line per entry to w, in a form that people read.
func newLogger(w io.Writer) *zap.Logger {
	enc := zap.NewDevelopmentEncoderConfig()
	enc.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05")
	enc.EncodeLevel = zapcore.LowercaseLevelEncoder
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(enc), zapcore.AddSync(w), zapcore.InfoLevel))
}
