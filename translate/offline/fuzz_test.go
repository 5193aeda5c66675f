package offline

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzRecord: pictures of an earlier run are taken over where the record beside them
// holds just the settings; otherwise the error names the record's folder.
func FuzzRecord(f *testing.F) {
	settings := map[string]string{"engine": "fda", "seed": "1"}
	good, err := json.Marshal(settings)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"engine":"fda","seed":"1","more":""}`))
	f.Add([]byte(`{"engine":1}`))
	f.Add([]byte(`null`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, recordFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		err := checkRecord(Options{Out: dir, Settings: settings})
		if err != nil && !strings.Contains(err.Error(), dir) {
			t.Errorf("the error does not name the folder: %v", err)
		}
		var have map[string]string
		if json.Unmarshal(text, &have) != nil && err == nil {
			t.Error("taken although it is no record")
		}
		maps.DeleteFunc(have, func(_, v string) bool { return v == "" }) // as good as not there
		if maps.Equal(have, settings) != (err == nil) {
			t.Errorf("settings %v: %v", have, err)
		}
	})
}
