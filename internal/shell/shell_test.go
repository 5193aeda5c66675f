package shell

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for _, tt := range []struct {
		words []string
		want  string
	}{
		{nil, ""},
		{[]string{"./t2sda", "train", "-c", "a_b.yaml", "train.lr=1e-4"}, "./t2sda train -c a_b.yaml train.lr=1e-4"},
		{[]string{"data.source.root=my data", ""}, "'data.source.root=my data' ''"},
		{[]string{"name=it's"}, `'name=it'\''s'`},
		{[]string{"$HOME", "*", "a;b", "#", "~"}, "'$HOME' '*' 'a;b' '#' '~'"},
		{[]string{"Zürich"}, "Zürich"},
	} {
		if got := Quote(tt.words...); got != tt.want {
			t.Errorf("%q become %s, want %s", tt.words, got, tt.want)
		}
	}
}

// TestShellReadsItBack asks a shell what it makes of quoted words.
func TestShellReadsItBack(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	words := []string{"plain", "", "two words", "it's", `back\slash`, `"double"`, "$HOME `id` $(id)", "a\nb", "*?[x]", "!x", "a&b|c>d<e", "~", "#x", "{a,b}", "ä%+@:=,./-_"}
	out, err := exec.CommandContext(t.Context(), sh, "-c", `for w in `+Quote(words...)+`; do printf '%s\0' "$w"; done`).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, words) {
		t.Errorf("the shell reads %q, want %q", got, words)
	}
}
