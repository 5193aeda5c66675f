package datasets

import (
	"fmt"
	"strings"
)

// DescribeLayout describes a built-in layout for people: what it is for, where
// images and labels are looked for and how their names end, and its example as a
// tree.
func DescribeLayout(name string) (string, error) {
	l, err := findLayout(name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", l.Name, l.About)
	describeFolders(&b, "images", l.Images)
	fmt.Fprintf(&b, "          named *%s\n", l.ImageSuffix)
	describeFolders(&b, "labels", l.Labels)
	for i, k := range l.Kinds {
		word := "named"
		if i > 0 {
			word = "   or"
		}
		fmt.Fprintf(&b, "          %s *%s%s\n", word, k.Suffix, readBy(l, k))
	}
	for _, line := range drawTree(l.Files) {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	return b.String(), nil
}

// describeFolders lists the places that are looked at in turn.
func describeFolders(b *strings.Builder, what string, templates []string) {
	fmt.Fprintf(b, "  %s  %s\n", what, strings.Join(templates, "\n       or "))
}

// readBy says how a kind's ids are read.
func readBy(l layout, k labelKind) string {
	text := ""
	if k.Map != "" {
		text = ", read by map " + k.Map
	}
	if l.Channel != "" && k.Suffix == "" {
		text += ", ids in channel " + l.Channel
	}
	return text
}

// drawTree draws slash-separated paths as a tree, in the order in which they come.
// A folder that holds nothing but another one shares its line.
func drawTree(files []string) []string {
	var names []string
	below := map[string][]string{}
	for _, f := range files {
		name, rest, more := strings.Cut(f, "/")
		if _, known := below[name]; !known {
			names = append(names, name)
			below[name] = nil
		}
		if more {
			below[name] = append(below[name], rest)
		}
	}
	var lines []string
	for i, name := range names {
		branch, indent := "├── ", "│   "
		if i == len(names)-1 {
			branch, indent = "└── ", "    "
		}
		inner := drawTree(below[name])
		if len(inner) > 0 && !hasBranches(inner) {
			lines = append(lines, branch+name+"/"+strings.TrimPrefix(inner[0], "└── "))
			inner = inner[1:]
			for i := range inner {
				inner[i] = strings.TrimPrefix(inner[i], "    ") // of the line that it shares
			}
		} else {
			if len(inner) > 0 {
				name += "/"
			}
			lines = append(lines, branch+name)
		}
		for _, line := range inner {
			lines = append(lines, indent+line)
		}
	}
	return lines
}

// hasBranches reports whether a tree has more than one entry at its root.
func hasBranches(lines []string) bool { return strings.HasPrefix(lines[0], "├") }
