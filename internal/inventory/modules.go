package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is one that packages of the program come from.
type module struct {
	Path, Version string
	Sum           string // as in go.sum; empty for Go's own library
	dir           string
	folders       map[string]bool // of the packages that the program has, below dir
	needs         map[string]bool // paths of modules
	direct        bool            // a package of the program's own imports one of it
	licences      []licence
}

// stdlib is how Go's own library is called here.
const stdlib = "std"

// systems are those that the program is built for. Packages differ between them.
var systems = []string{"linux", "darwin", "windows"}

// listed is a package as the go command lists it.
type listed struct {
	ImportPath, Dir string
	Standard        bool
	Imports         []string
	Module          *struct {
		Path, Version, Sum, Dir string
		Main                    bool
	}
}

// listModules lists the modules of the program, sorted by path, with their licences.
func listModules(ctx context.Context) ([]*module, error) {
	all := map[string]*module{}
	for _, system := range systems {
		packages, err := listPackages(ctx, system)
		if err != nil {
			return nil, err
		}
		collect(all, packages)
	}
	modules := slices.SortedFunc(maps.Values(all), func(a, b *module) int { return strings.Compare(a.Path, b.Path) })
	for _, m := range modules {
		var err error
		if m.licences, err = licencesOf(m); err != nil {
			return nil, fmt.Errorf("%s %s: %w", m.Path, m.Version, err)
		}
	}
	return modules, nil
}

// listPackages lists what the program is built from on a system.
func listPackages(ctx context.Context, system string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=ImportPath,Dir,Standard,Imports,Module", "t2sda")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=1")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s: %w: %s", system, err, strings.TrimSpace(problems.String()))
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, fmt.Errorf("go list for %s: %w", system, err)
		}
		packages = append(packages, p)
	}
}

// collect adds the packages to their modules.
func collect(all map[string]*module, packages []listed) {
	of := map[string]string{} // module by package; empty for the program's own
	for _, p := range packages {
		m := p.module()
		if m == nil {
			continue
		}
		if all[m.Path] == nil {
			all[m.Path] = m
		}
		of[p.ImportPath] = m.Path
		if rel, err := filepath.Rel(m.dir, p.Dir); err == nil {
			all[m.Path].folders[rel] = true
		}
	}
	for _, p := range packages {
		for _, i := range p.Imports {
			switch from, to := of[p.ImportPath], of[i]; {
			case to == "" || to == from:
			case from == "":
				all[to].direct = true
			default:
				all[from].needs[to] = true
			}
		}
	}
}

// module is the one of the package, nil for the program's own.
func (p listed) module() *module {
	m := &module{folders: map[string]bool{}, needs: map[string]bool{}}
	switch {
	case p.Standard:
		m.Path, m.dir = stdlib, filepath.Join(goroot(p), "src")
	case p.Module == nil || p.Module.Main:
		return nil
	default:
		m.Path, m.Version, m.Sum, m.dir = p.Module.Path, p.Module.Version, p.Module.Sum, p.Module.Dir
	}
	return m
}

// goroot is Go's folder, by the place of a package of its library.
func goroot(p listed) string {
	return strings.TrimSuffix(p.Dir, string(filepath.Separator)+filepath.Join("src", filepath.FromSlash(p.ImportPath)))
}

// licenceFile matches the names under which modules keep what has to be passed on.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|ftl)([-.].*)?$|-licen[cs]e$`)

// licenceFiles lists those files of a module: in its root, in the folders of the
// packages that the program has and in those above them, and in folders of licences.
func (m *module) licenceFiles() ([]string, error) {
	folders := map[string]bool{".": true, "licenses": true, "THIRD_PARTY_LICENSES": true}
	for f := range m.folders {
		for ; f != "."; f = filepath.Dir(f) {
			folders[f] = true
		}
	}
	if m.Path == stdlib {
		folders = map[string]bool{"..": true} // Go's folder; what is vendored has the same licence
	}
	var files []string
	for _, f := range slices.Sorted(maps.Keys(folders)) {
		entries, err := os.ReadDir(filepath.Join(m.dir, f))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if e.Type().IsRegular() && licenceFile.MatchString(e.Name()) {
				files = append(files, filepath.Join(f, e.Name()))
			}
		}
	}
	return files, nil
}
