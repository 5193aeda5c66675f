package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// licence is a file that has to be passed on with a module.
type licence struct {
	name string   // of the file, below the module, with slashes
	ids  []string // SPDX's; none for notices, and for patents that are granted beside a licence
	text string
}

// known are phrases, in lower case and with single blanks, of the licences that may be
// in the program: what of them a text holds is what it grants. The first that fits of a
// group tells its kind.
var known = []struct{ id, phrase, without string }{
	{"Apache-2.0", "apache license version 2.0", ""},
	{"Apache-2.0", "licensed under the apache license, version 2.0", ""},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files", ""},
	{"BSD-3-Clause", "redistribution and use in source and binary forms", "!endorse or promote"},
	{"BSD-2-Clause", "redistribution and use in source and binary forms", "endorse or promote"},
	{"BSL-1.0", "boost software license - version 1.0", ""},
	{"OFL-1.1", "sil open font license", ""},
	{"CC-BY-4.0", "creative commons attribution 4.0 international", ""},
	{"FTL", "choice of exactly one of the following two licenses: * the freetype license", ""},
	{"FTL", "the freetype project license", ""},
	{"SunPro", "developed at sunpro, a sun microsystems", ""},
}

// passedOver are files of modules that do not concern the program, as long as it has no
// package of the folder that stands with them. The GPL is the other licence of freetype,
// of which one may be chosen.
var passedOver = map[string]map[string]string{
	"github.com/golang/freetype": {"licenses/gpl.txt": ""},
	"gonum.org/v1/gonum": {
		"THIRD_PARTY_LICENSES/Bogaert-LICENSE":       "integrate/quad",
		"THIRD_PARTY_LICENSES/W3C-BSD-LICENSE":       "graph/formats/rdf",
		"THIRD_PARTY_LICENSES/W3C-TestSuite-LICENSE": "graph/formats/rdf",
	},
}

// licencesOf reads what a module grants.
func licencesOf(m *module) ([]licence, error) {
	files, err := m.licenceFiles()
	if err != nil {
		return nil, err
	}
	var all []licence
	for _, name := range files {
		l := licence{name: filepath.ToSlash(name)}
		if folder, ok := passedOver[m.Path][l.name]; ok && !m.folders[filepath.FromSlash(folder)] {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.dir, name))
		if err != nil {
			return nil, err
		}
		l.text = tidy(string(text))
		if l.ids = grants(l.text); len(l.ids) == 0 && !accompanies(l.name) {
			return nil, fmt.Errorf("%s: a licence that is not known: look at it, and add it to licences.go if the program may have it", l.name)
		}
		all = append(all, l)
	}
	if !slices.ContainsFunc(all, func(l licence) bool { return len(l.ids) > 0 }) {
		return nil, errors.New("there is no licence in it")
	}
	return all, nil
}

// accompanies reports whether a file may grant nothing by itself.
func accompanies(name string) bool {
	base := strings.ToLower(filepath.Base(name))
	return strings.HasPrefix(base, "patents") || strings.HasPrefix(base, "notice") || strings.HasPrefix(base, "license-link")
}

// grants lists the licences whose phrases a text holds.
func grants(text string) []string {
	plain := strings.Join(strings.Fields(strings.ToLower(text)), " ")
	var ids []string
	for _, k := range known {
		lacking, wanted := strings.CutPrefix(k.without, "!")
		fits := strings.Contains(plain, k.phrase) && (lacking == "" || strings.Contains(plain, lacking) == wanted)
		if fits && !slices.Contains(ids, k.id) {
			ids = append(ids, k.id)
		}
	}
	return ids
}

// tidy takes carriage returns, blanks at the ends of lines and empty lines around a
// text away.
func tidy(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\r\f")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// ids are those of all of a module's licences, in the order of its files.
func (m *module) ids() []string {
	var all []string
	for _, l := range m.licences {
		for _, id := range l.ids {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all
}
