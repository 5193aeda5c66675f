package sealed

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"t2sda/internal/sha256sum"
)

// FuzzRead: a file is refused by its name or holds the digest of its value; a value
// with its digest comes back as JSON has it, and is the same once it is written again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"sha256":"00","value":{}}`), false)
	f.Add([]byte(`{"sha256":null,"value":null,"more":1}`), false)
	f.Add([]byte(`{"Name":"a","Counts":[1,2],"Share":0.5}`), true)
	f.Add([]byte(`{"Counts":[1e99]}`), true)
	f.Add([]byte(`null`), true)
	f.Add([]byte(``), true)
	f.Fuzz(func(t *testing.T, text []byte, whole bool) {
		if whole {
			text, _ = json.Marshal(file{sha256sum.Of(text), text}) // empty for what is no JSON
		}
		path := filepath.Join(t.TempDir(), "kept.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var have value
		if err := Read(path, &have); err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		var inside file
		if err := json.Unmarshal(text, &inside); err != nil || inside.SHA256 != sha256sum.Of(inside.Value) {
			t.Errorf("read although the digest is another one: %v", err)
		}
		var again value
		if err := Write(path, have); err != nil {
			t.Fatal(err)
		}
		if err := Read(path, &again); err != nil || !reflect.DeepEqual(again, have) {
			t.Errorf("written again it is %+v, not %+v: %v", again, have, err)
		}
	})
}
