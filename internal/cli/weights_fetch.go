package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/configs"
	"t2sda/graphs/weights/fetch"
	"t2sda/internal/texttable"
)

func weightsFetchCommand() *cobra.Command {
	var o fetch.Options
	cmd := &cobra.Command{
		Use:   "fetch NAME [--out F]",
		Short: "Fetch public weights by name into the user's cache",
		Long: `Fetch public weights into the user's cache and print the file's path. NAME is

  a name that t2sda weights list shows: mobilenet_v2, mit_b5
  hf:OWNER/NAME[@REVISION][:FILE]   a model of Hugging Face; without FILE its
                  model.safetensors, else its shards, else its pytorch_model.bin.
                  HF_TOKEN is for private and gated models, HF_ENDPOINT for mirrors
  https://…       a file. Names that end like resnet50-0676ba61.pth are taken at
                  their word: the SHA-256 must begin so

model.init=fetch:NAME does the same when a run begins. Downloads that were interrupted
go on where they ended. A digest that the program, the server, the file's name or
--sha256 tells is compared, and what does not open as weights is not kept. What is in
the cache is compared with its digest each time, and not fetched again unless --force
says so.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return fetchWeights(cmd, strings.TrimPrefix(args[0], configs.FetchPrefix), o)
		},
	}
	cmd.Flags().BoolVar(&o.Force, "force", false, "fetch again what is in the cache")
	cmd.Flags().StringVar(&o.SHA256, "sha256", "", "digest that the file must have, for hf: and https:// (in model.init: fetch:NAME#sha256=…)")
	cmd.Flags().String("out", "", "write the file here, too (- is standard output)")
	return cmd
}

// tellFetch tells people how a fetch gets on.
func tellFetch(cmd *cobra.Command, o *fetch.Options) {
	o.Say = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
	o.Progress = func(what, units string) func(done, total int) { return progressOf(cmd, what, units) }
}

func fetchWeights(cmd *cobra.Command, name string, o fetch.Options) (err error) {
	out, err := openOutputs(cmd, "out")
	if err != nil {
		return err
	}
	tellFetch(cmd, &o)
	file, err := fetch.Fetch(cmd.Context(), name, o)
	if e := new(fetch.CacheError); errors.As(err, &e) && out.wants("out") {
		warnings(cmd)(fmt.Errorf("the file is not cached, only written: %w", errors.Unwrap(e)))
		if o.Dir, err = os.MkdirTemp("", "t2sda-fetch-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
		file, err = fetch.Fetch(cmd.Context(), name, o)
	}
	if err != nil {
		return err
	}
	if !out.wants("out") {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), file)
		return err
	}
	if strings.HasSuffix(file, ".index.json") {
		return fmt.Errorf("--out: the model is in several files, in %s: give that folder, model.init=%[1]s", filepath.Dir(file))
	}
	if err := out.write("out", func(w io.Writer) error { return copyOf(w, file) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.people(), "written to %s: train with model.init=%[1]s\n", out.name("out"))
	return err
}

func copyOf(w io.Writer, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	_, err = io.Copy(w, f)
	return err
}

func weightsListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the weights that fetch knows by name",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := openOutputs(cmd, "json")
			if err != nil {
				return err
			}
			known := fetch.List(fetch.Options{})
			return errors.Join(out.writeJSON("json", known), printKnown(out.people(), known))
		},
	}
	cmd.Flags().String("json", "", "write all of it to this file (- is standard output; what is for people then goes to standard error)")
	return cmd
}

// printKnown shows the table, then whose weights they are.
func printKnown(w io.Writer, known []fetch.Known) error {
	rows := [][]string{{"name", "model.encoder", "size", "cached", "from"}}
	var notes []string // of origin and licence, in order
	names := map[string][]string{}
	for _, k := range known {
		cached := "–"
		if k.Cached != "" {
			cached = "yes"
		}
		rows = append(rows, []string{k.Name, k.Encoder, fmt.Sprintf("%.0f MB", float64(k.Bytes)/1e6), cached, k.From})
		note := fmt.Sprintf("  origin   %s\n  licence  %s\n", k.Origin, k.Licence)
		if names[note] == nil {
			notes = append(notes, note)
		}
		names[note] = append(names[note], k.Name)
	}
	if err := texttable.Write(w, rows[:1], rows[1:]); err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintf(w, "\n%s\n%s", strings.Join(names[note], ", "), note)
	}
	_, err := fmt.Fprintf(w, "\nt2sda weights fetch NAME, or model.init=%sNAME; hf:OWNER/NAME and https URLs are names as well.\n", configs.FetchPrefix)
	return err
}
