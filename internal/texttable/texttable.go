// Package texttable prints tables on a terminal and for documents.
package texttable

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Write prints the rows of all sections in common columns, the first one to the
// left and the others to the right, with a rule between sections. All rows have
// as many cells as the first.
func Write(w io.Writer, sections ...[][]string) error {
	widths := make([]int, len(sections[0][0]))
	for _, rows := range sections {
		for _, row := range rows {
			for i, cell := range row {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			}
		}
	}
	total := 2 * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	var b strings.Builder
	for i, rows := range sections {
		if i > 0 {
			b.WriteString(strings.Repeat("─", total) + "\n")
		}
		for _, row := range rows {
			b.WriteString(line(row, widths))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown returns the rows as a table of a Markdown document, the heads first.
func Markdown(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		for _, cell := range row {
			b.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
		}
		b.WriteString("|\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String()
}

// line sets one row.
func line(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if i == 0 {
			b.WriteString(cell + pad)
		} else {
			b.WriteString("  " + pad + cell)
		}
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}
