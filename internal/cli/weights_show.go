package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fit"
	"t2sda/internal/texttable"
)

// shownWeights is what the command show finds in a file.
type shownWeights struct {
	File     string            `json:"file"`
	Form     string            `json:"form"`
	Network  string            `json:"network"`  // in words
	Encoders []string          `json:"encoders"` // ours that fit
	Models   []string          `json:"models"`   // prefixes of names
	Beside   []string          `json:"beside,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Elements int               `json:"elements"`
	Tensors  []weights.Info    `json:"tensors"`
}

func weightsShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Show what a file of weights holds, and which encoder fits it",
		Long: `Show what a file of weights holds: its tensors by name, shape and type, what network
they seem to be of, and which of the encoders here they fit. Nothing is converted and
no elements are read.
` + weightsFiles,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := openOutputs(cmd, "json")
			if err != nil {
				return err
			}
			s, err := lookAtWeights(args[0])
			if err != nil {
				return err
			}
			return errors.Join(out.writeJSON("json", s), s.print(out.people()))
		},
	}
	cmd.Flags().String("json", "", "write all of it to this file (- is standard output; what is for people then goes to standard error)")
	return cmd
}

func lookAtWeights(path string) (s shownWeights, err error) {
	f, err := weights.Open(path)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	infos := f.Infos()
	return shownWeights{
		File: path, Form: f.Form(), Network: f.Describe(), Encoders: f.Fits(fit.Encoders()), Models: f.Parts(), Beside: f.Beside(),
		Metadata: f.Metadata(), Elements: totalSize(infos), Tensors: infos,
	}, nil
}

// print shows the facts, then the tensors.
func (s shownWeights) print(w io.Writer) error {
	fact := func(name, value string) { fmt.Fprintf(w, "%-10s%s\n", name, value) }
	fact("file", s.File+": "+s.Form)
	fact("network", s.Network)
	if len(s.Encoders) > 0 {
		fact("fits", "model.encoder="+strings.Join(s.Encoders, " or "))
	} else {
		fact("fits", "no encoder here")
	}
	if models := slices.DeleteFunc(slices.Clone(s.Models), func(m string) bool { return m == "" }); len(models) > 0 {
		fact("models", strings.Join(models, ", "))
	}
	if len(s.Beside) > 0 {
		fact("beside", fmt.Sprintf("%d kinds of Python objects, not read: %s", len(s.Beside), strings.Join(s.Beside[:min(5, len(s.Beside))], ", ")))
	}
	for _, k := range slices.Sorted(maps.Keys(s.Metadata)) {
		fact("metadata", k+": "+s.Metadata[k])
	}
	fact("tensors", fmt.Sprintf("%d of %s elements: %s", len(s.Tensors), elements(s.Elements), countTypes(s.Tensors)))
	fmt.Fprintln(w)
	rows := [][]string{{"tensor", "shape", "type"}}
	for _, t := range s.Tensors {
		rows = append(rows, []string{t.Name, fmt.Sprint(t.Shape), string(t.Type)})
	}
	return texttable.Write(w, rows[:1], rows[1:])
}

// countTypes counts the tensors of each type.
func countTypes(infos []weights.Info) string {
	count := map[string]int{}
	for _, t := range infos {
		count[string(t.Type)]++
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		words = append(words, fmt.Sprintf("%d %s", count[name], name))
	}
	return strings.Join(words, ", ")
}
