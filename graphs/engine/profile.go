package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// newProfilePrefix returns <prefix>-<session>-<n>, where n keeps sessions of one
// name apart; path separators in the name become dashes.
func (e *Engine) newProfilePrefix(session string) string {
	name := strings.Map(func(r rune) rune {
		if r == filepath.Separator || r == '/' {
			return '-'
		}
		return r
	}, session)
	return fmt.Sprintf("%s-%s-%d", e.options.ProfilePrefix, name, e.profiles.Add(1))
}

// ProfileFile returns the profile that Close has written, empty before or when
// none was asked for. See [ReadProfile].
func (s *Session) ProfileFile() string {
	s.bindingsMu.Lock()
	defer s.bindingsMu.Unlock()
	return s.profileFile
}

// findProfile looks for the file; ONNX Runtime adds the time to its name, so that
// the last one in order is this session's.
func (s *Session) findProfile() error {
	dir, prefix := filepath.Split(s.profilePrefix)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	for _, e := range slices.Backward(entries) {
		if strings.HasPrefix(e.Name(), prefix+"_") && strings.HasSuffix(e.Name(), ".json") {
			s.bindingsMu.Lock()
			defer s.bindingsMu.Unlock()
			s.profileFile = filepath.Join(dir, e.Name())
			return nil
		}
	}
	return fmt.Errorf("profile %s_*.json was not written: is the folder writable?", s.profilePrefix)
}

// Profile is the time that a session's nodes took, summed over its runs.
type Profile struct {
	Total time.Duration // of all nodes
	Runs  int
	Nodes []ProfileRow // by node name
	Ops   []ProfileRow // by operator type
}

// ProfileRow is one line of a profile; rows are sorted by falling time.
type ProfileRow struct {
	Name  string
	Calls int
	Time  time.Duration
}

// ReadProfile sums up a profile that a session has written.
func ReadProfile(path string) (*Profile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	var events []struct {
		Category string `json:"cat"`
		Name     string `json:"name"`
		Micros   int64  `json:"dur"`
		Args     struct {
			Op string `json:"op_name"`
		} `json:"args"`
	}
	if err := json.Unmarshal(data, &events); err != nil {
		return nil, fmt.Errorf("read profile %s: %w", path, err)
	}
	p := &Profile{}
	nodes, ops := map[string]*ProfileRow{}, map[string]*ProfileRow{}
	for _, e := range events {
		if e.Category == "Session" && e.Name == "model_run" {
			p.Runs++
		}
		node, isKernel := strings.CutSuffix(e.Name, "_kernel_time")
		if e.Category != "Node" || !isKernel {
			continue
		}
		took := time.Duration(e.Micros) * time.Microsecond
		p.Total += took
		addTo(nodes, node, took, 1)
		addTo(ops, e.Args.Op, took, 1)
	}
	p.Nodes, p.Ops = sorted(nodes), sorted(ops)
	return p, nil
}

// Scopes sums node times by the first depth parts of their scope, the part of the
// name before the last slash, whose levels are divided by dots or slashes:
// "encoder.block1.0/Conv_3" counts for "encoder" at depth 1 and for
// "encoder.block1" at depth 2. Nodes without a scope, among them those that ONNX
// Runtime made, count for "".
func (p *Profile) Scopes(depth int) []ProfileRow {
	rows := map[string]*ProfileRow{}
	for _, n := range p.Nodes {
		scope := ""
		if i := strings.LastIndexByte(n.Name, '/'); i >= 0 {
			scope = n.Name[:i]
		}
		parts := strings.FieldsFunc(scope, func(r rune) bool { return r == '.' || r == '/' })
		addTo(rows, strings.Join(parts[:min(depth, len(parts))], "."), n.Time, n.Calls)
	}
	return sorted(rows)
}

func addTo(rows map[string]*ProfileRow, name string, took time.Duration, calls int) {
	r := rows[name]
	if r == nil {
		r = &ProfileRow{Name: name}
		rows[name] = r
	}
	r.Time += took
	r.Calls += calls
}

func sorted(rows map[string]*ProfileRow) []ProfileRow {
	list := make([]ProfileRow, 0, len(rows))
	for _, r := range rows {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b ProfileRow) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Name, b.Name))
	})
	return list
}
