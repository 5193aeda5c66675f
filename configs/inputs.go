package configs

import "slices"

// Input is a folder or a file that a run reads and has to be there before it.
type Input struct {
	Field, Path string
	Folder      bool // or shards, see datasets.NamesShards
	Filled      bool // a folder that something has to lie in
}

// Inputs lists what the run reads, but nothing in buckets, no names of the program's own
// and not the runtime's library.
func (c *Config) Inputs() []Input {
	var out []Input
	for _, p := range c.paths() {
		text := *p.value
		if p.is == anything || !p.read || text == "" || p.isName(text) || isURL(text) || !c.opens(p.field) {
			continue
		}
		elsewhere := slices.ContainsFunc([]*Dataset{&c.Data.Source, &c.Data.Target, &c.Data.Eval}, func(d *Dataset) bool {
			return p.value == &d.Root && (d.List != "" || d.Images != "") // may name whole paths
		})
		out = append(out, Input{Field: p.field, Path: text, Folder: p.is == aFolder, Filled: p.is == aFolder && !elsewhere})
	}
	return out
}

// opens reports whether the run opens what a field names: some are read for the hash
// alone. Whether engine onnx looks at styles, its network says.
func (c *Config) opens(field string) bool {
	switch field {
	case "translate.folder":
		return c.usesEngine("folder")
	case "translate.styles":
		return c.usesEngine("adain", "fda")
	}
	return true
}
