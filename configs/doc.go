// Package configs is the typed configuration of a run.
//
// A configuration is [Default] overlaid by a preset or a YAML file (which may
// name another one to start from with `extends`), overlaid by key=value
// settings. Values are read by their fields' types, and viper merges what was
// read; it converts nothing. A key that no field reads and a value that is not
// of its field's type are errors that name file, line and key.
// [Config.Validate] then checks every value and reports all faults at once, each
// with its field's path.
//
// Numbers without a stated reason are those of the T2S-DA paper or of the
// DAFormer recipe that it builds on.
package configs
