package cli

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"t2sda/datasets"
	"t2sda/export/picture"
	"t2sda/internal/plural"
	"t2sda/internal/raster"
	"t2sda/internal/texttable"
)

// inspection is what the command check is asked for.
type inspection struct {
	tree              treeFlags
	options           datasets.CheckOptions
	samples, examples int
	sheet             string
	out               *outputs
}

func checkCommand() *cobra.Command {
	var c inspection
	cmd := &cobra.Command{
		Use:   "check ROOT",
		Short: "Read every file of a data set and say what is wrong with it",
		Long: "Read every image and label whole and report what would stop a training run (exit code 1),\n" +
			"what may be a mistake, and what is there: sizes, kinds of files, the share of each class.\n" +
			"A contact sheet shows whether labels and colours fit the pictures.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd, args[0])
		},
	}
	c.tree.add(cmd)
	cmd.Flags().IntVar(&c.options.Workers, "workers", 0, "goroutines that read files (0: one per core)")
	cmd.Flags().StringVar(&c.sheet, "sheet", "data-check.png", `picture of images with their labels ("": none)`)
	cmd.Flags().IntVar(&c.samples, "samples", 8, "images on the sheet, evenly spread over the splits")
	cmd.Flags().IntVar(&c.examples, "examples", 3, "files to name per finding (0: all); --json names all")
	cmd.Flags().String("json", "", "write the report to this file (- is standard output; what is for people then goes to standard error)")
	cmd.Flags().String("good", "", "write the images without errors to this file, for list: of a configuration (one split)")
	return cmd
}

func (c *inspection) run(cmd *cobra.Command, root string) (err error) {
	files := []string{"json", "good"}
	if c.samples > 0 {
		files = append(files, "sheet")
	}
	if c.out, err = openOutputs(cmd, files...); err != nil {
		return err
	}
	splits, err := c.tree.each(cmd.Context(), c.out.people(), root)
	if err != nil {
		return err
	}
	if c.out.wants("good") && len(splits) > 1 {
		return usageError{errors.New("--good writes the names of one split: choose one by --split")}
	}
	var reports []*datasets.Report
	for i, o := range splits {
		c.options.Previews = 0
		if c.sheet != "" {
			c.options.Previews = (c.samples + len(splits) - 1 - i) / len(splits)
		}
		r, err := c.split(cmd, o)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	if err := c.write(reports); err != nil {
		return err
	}
	return verdict(reports)
}

// split reads one split and prints what was found.
func (c *inspection) split(cmd *cobra.Command, o datasets.Options) (*datasets.Report, error) {
	began := time.Now()
	c.options.Progress = progressOf(cmd, "checking", "images")
	r, err := datasets.Check(cmd.Context(), o, c.options)
	if err != nil {
		return nil, err
	}
	seconds := time.Since(began).Seconds()
	out := c.out.people()
	labelMap := ""
	if r.Map != "" {
		labelMap = ", label map " + r.Map
	}
	fmt.Fprintf(out, "%s%s: read in %.1f s, %.0f images/s\n\n", o.Place(), labelMap, seconds, float64(r.Images)/seconds)
	printFiles(out, r)
	if err := printClasses(out, r); err != nil {
		return nil, err
	}
	c.printFindings(out, r)
	_, err = fmt.Fprintln(out)
	return r, err
}

// printFiles tells how many files there are, of which kinds and sizes.
func printFiles(w io.Writer, r *datasets.Report) {
	fmt.Fprintf(w, "images  %6d%s\n", r.Images, fileKinds(r.Formats))
	fmt.Fprintf(w, "labels  %6d%s\n", r.Labels, fileKinds(r.LabelFormats))
	if r.Labels > 0 && (r.Pairs != r.Images || r.Pairs != r.Labels) {
		fmt.Fprintf(w, "pairs   %6d\n", r.Pairs)
	}
	const most = 6
	for i, s := range r.Sizes {
		name := "sizes"
		if i > 0 {
			name = ""
		}
		if i == most {
			fmt.Fprintf(w, "%-6s          and %s\n", name, plural.Of(len(r.Sizes)-most, "more size", "more sizes"))
			break
		}
		fmt.Fprintf(w, "%-6s  %6d  %d×%d\n", name, s.Images, s.W, s.H)
	}
	fmt.Fprintln(w)
}

// fileKinds lists kinds of files behind their number, counted when there are
// several.
func fileKinds(counts []datasets.FormatCount) string {
	texts := make([]string, len(counts))
	for i, f := range counts {
		texts[i] = f.Kind
		if len(counts) > 1 {
			texts[i] = fmt.Sprintf("%d %s", f.Files, f.Kind)
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "  " + strings.Join(texts, ", ")
}

// printClasses shows the share of the classes, or of the ids when there is no
// label map.
func printClasses(w io.Writer, r *datasets.Report) error {
	if r.Labels == 0 {
		return nil
	}
	total := int64(0)
	for _, id := range r.IDs {
		total += id.Pixels
	}
	var rows [][]string
	void := r.Void.Pixels
	if r.Map == "" {
		rows = append(rows, []string{"id", "pixels %", "images"})
		for _, id := range r.IDs {
			name := strconv.Itoa(id.ID)
			if id.Color != nil {
				name = fmt.Sprint(id.Color)
			}
			rows = append(rows, []string{name, percent(id.Pixels, total), strconv.Itoa(id.Images)})
		}
	} else {
		rows = append(rows, []string{"class", labelledShare, "images"})
		for _, c := range r.Classes {
			rows = append(rows, []string{c.Name, percent(c.Pixels, total-void), strconv.Itoa(c.Images)})
		}
	}
	if err := texttable.Write(w, rows[:1], rows[1:]); err != nil {
		return err
	}
	if r.Map != "" {
		printVoid(w, void, total)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// printFindings lists what was found, each with its first files.
func (c *inspection) printFindings(w io.Writer, r *datasets.Report) {
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "nothing is wrong")
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "%-8s %s\n", f.Severity, f.Text)
		for i, file := range f.Files {
			if rest := len(f.Files) - i; i == c.examples && c.examples > 0 {
				fmt.Fprintf(w, "           and %d more\n", rest)
				break
			}
			fmt.Fprintf(w, "           %s\n", file)
		}
	}
}

// write makes the files that were asked for and names them.
func (c *inspection) write(reports []*datasets.Report) error {
	w := c.out.people()
	if c.out.wants("json") {
		file := struct {
			Stops  bool               `json:"stops"` // whether any split would stop a run
			Splits []*datasets.Report `json:"splits"`
		}{verdict(reports) != nil, reports}
		if err := c.out.writeJSON("json", file); err != nil {
			return err
		}
		fmt.Fprintf(w, "report: %s\n", c.out.name("json"))
	}
	if c.out.wants("good") {
		list := strings.Join(append(reports[0].Good, ""), "\n")
		if err := c.out.writeBytes("good", []byte(list)); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s without errors: %s\n", plural.Of(len(reports[0].Good), "image", "images"), c.out.name("good"))
	}
	if !c.out.wants("sheet") {
		return nil
	}
	columns, rows, space := contactSheet(reports)
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no contact sheet: no image can be read")
		return err
	}
	picture, err := picture.Strip(space, columns, rows)
	if err != nil {
		return err
	}
	data, err := raster.EncodePNG(picture)
	if err != nil {
		return err
	}
	if err := c.out.writeBytes("sheet", data); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "contact sheet: %s\n", c.out.name("sheet"))
	return err
}

// contactSheet shows each sample's image, its labels and both together; where
// nothing is labelled, images alone, three in a row.
func contactSheet(reports []*datasets.Report) (columns []string, rows []picture.StripRow, space datasets.Space) {
	var plain []picture.StripRow
	for _, r := range reports {
		for _, s := range r.Previews {
			title := path.Join(r.Split, s.ID)
			image := picture.Cell{Image: s.Image}
			plain = append(plain, picture.StripRow{Title: title, Cells: []picture.Cell{image}})
			row := picture.StripRow{Title: title, Cells: []picture.Cell{image, {}, {}}}
			if s.Labels != nil {
				space = r.Space
				row.Cells[1].Labels, row.Cells[2] = s.Labels, picture.Cell{Image: s.Image, Labels: s.Labels}
			}
			rows = append(rows, row)
		}
	}
	if len(space.Classes) > 0 {
		return []string{"image", "labels", "both"}, rows, space
	}
	const perRow = 3
	rows = nil
	for i, p := range plain {
		if i%perRow == 0 {
			rows = append(rows, picture.StripRow{Title: p.Title, Cells: make([]picture.Cell, perRow)})
		} else {
			rows[i/perRow].Title += " · " + p.Title
		}
		rows[i/perRow].Cells[i%perRow] = p.Cells[0]
	}
	return []string{"images", "", ""}, rows, space
}

// verdict is an error when something would stop a run.
func verdict(reports []*datasets.Report) error {
	var kinds []string
	for _, r := range reports {
		for _, f := range r.Findings {
			if f.Severity == datasets.Error && !slices.Contains(kinds, f.Kind) {
				kinds = append(kinds, f.Kind)
			}
		}
	}
	if len(kinds) == 0 {
		return nil
	}
	return fmt.Errorf("data check: a training run would stop: %s", strings.Join(kinds, ", "))
}
