package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/graphs/engine"
	"t2sda/internal/ortweb"
)

func runtimeCommand() *cobra.Command {
	return group("runtime", "Fetch and inspect the ONNX Runtime library", installCommand(), infoCommand(), tryCommand())
}

func installCommand() *cobra.Command {
	var o engine.InstallOptions
	var web bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Put ONNX Runtime " + engine.Version + " into the user's cache",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Progress = cmd.ErrOrStderr()
			install := func() (string, error) { return engine.Install(cmd.Context(), o) }
			if web {
				install = func() (string, error) { return ortweb.Install(cmd.Context(), o.Dir, o.Progress) }
			}
			path, err := install()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "folder (default: the user's cache, where the library is looked for)")
	cmd.Flags().StringVar(&o.Method, "method", "auto", "npm, pip or auto (npm, else pip)")
	cmd.Flags().BoolVar(&o.CUDA, "cuda", false, "the build with the CUDA provider")
	cmd.Flags().BoolVar(&web, "web", false, "instead, what runs models in browsers (onnxruntime-web, 38 MB, by npm), for t2sda serve")
	cmd.MarkFlagsMutuallyExclusive("web", "cuda")
	cmd.MarkFlagsMutuallyExclusive("web", "method")
	return cmd
}

func infoCommand() *cobra.Command {
	var device engineFlags
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Print version, file, providers and device of the library that is used",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			e, err := engine.Open(device.options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.Close()) }()
			i := e.Info()
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "version    %s\nfile       %s\nproviders  %s\ndevice     %s\n",
				i.Version, i.File, strings.Join(i.Providers, ", "), i.Device)
			return err
		},
	}
	device.add(cmd)
	return cmd
}
