package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"t2sda/internal/atomicfile"
	"t2sda/internal/terminal"
)

// stdoutName stands for standard output where a flag names a file to write.
const stdoutName = "-"

// outputs are the files that flags of a command name. What is written into
// devices, FIFOs and through links says [atomicfile.WriteFunc].
type outputs struct {
	cmd   *cobra.Command
	paths map[string]string // by flag; of those that are given
	piped string            // the flag whose file is standard output; empty: none
}

// openOutputs tries the files that the flags name, before the work whose results
// go there. Flags that are empty name none.
func openOutputs(cmd *cobra.Command, flags ...string) (*outputs, error) {
	o := &outputs{cmd: cmd, paths: map[string]string{}}
	taken := map[string]string{} // flag by the file that is written
	for _, flag := range flags {
		path := cmd.Flags().Lookup(flag).Value.String()
		if path == "" {
			continue
		}
		place := stdoutName
		if !isStdout(cmd.OutOrStdout(), path) {
			if err := atomicfile.Try(path); err != nil {
				return nil, fmt.Errorf("--%s: %w", flag, err)
			}
			place = atomicfile.Target(path)
		}
		if other := taken[place]; other != "" && place != "" {
			return nil, usageError{fmt.Errorf("--%s and --%s would both be written to %s", other, flag, path)}
		}
		taken[place], o.paths[flag] = flag, path
		if place == stdoutName {
			o.piped = flag
		}
	}
	return o, nil
}

// isStdout reports whether the path is standard output: "-", or a name of what
// out writes to, such as /dev/stdout. Devices that are no terminal, /dev/null
// first of all, are not meant.
func isStdout(out io.Writer, path string) bool {
	if path == stdoutName {
		return true
	}
	f, ok := terminal.Raw(out).(*os.File)
	if !ok {
		return false
	}
	have, err := f.Stat()
	if err != nil || have.Mode()&fs.ModeCharDevice != 0 && !terminal.Is(out) {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(have, named)
}

// wants reports whether the flag names a file.
func (o *outputs) wants(flag string) bool { return o.paths[flag] != "" }

// name is how the flag's file is called in messages.
func (o *outputs) name(flag string) string {
	if o.piped == flag {
		return "standard output"
	}
	return o.paths[flag]
}

// write writes the flag's file, if it names one.
func (o *outputs) write(flag string, write func(w io.Writer) error) error {
	switch {
	case !o.wants(flag):
		return nil
	case o.piped == flag:
		if err := write(o.cmd.OutOrStdout()); err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
		return nil
	}
	return atomicfile.WriteFunc(o.paths[flag], write)
}

func (o *outputs) writeBytes(flag string, data []byte) error {
	return o.write(flag, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func (o *outputs) writeJSON(flag string, value any) error {
	if !o.wants(flag) {
		return nil
	}
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return o.writeBytes(flag, append(text, '\n'))
}

// people is where text for people goes: standard output, or standard error where
// that is one of the files.
func (o *outputs) people() io.Writer {
	if o.piped != "" {
		return o.cmd.ErrOrStderr()
	}
	return o.cmd.OutOrStdout()
}

// tryFolder tries the folder that a flag names, before the work whose results go
// there.
func tryFolder(flag, path string) error {
	if path == stdoutName {
		return usageError{fmt.Errorf("--%s: want a folder, - is none (./- is)", flag)}
	}
	if err := atomicfile.TryDir(path); err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return nil
}

// special reports whether the flag's file is none of its own: standard output, a
// device or a FIFO, whose name says nothing of what is written.
func (o *outputs) special(flag string) bool {
	if o.piped == flag {
		return true
	}
	info, err := os.Stat(o.paths[flag])
	return err == nil && !info.Mode().IsRegular()
}

// warnings returns what tells of things that do not stop a command.
func warnings(cmd *cobra.Command) func(error) {
	return func(err error) { fmt.Fprintln(cmd.ErrOrStderr(), "t2sda: warning:", err) }
}

// once returns what passes the first warning on: the next ones say the same.
func once(warn func(error)) func(error) {
	var first sync.Once
	return func(err error) { first.Do(func() { warn(err) }) }
}
