package fetch

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"t2sda/internal/texttable"
)

// TestNames: what means nothing is refused with what would.
func TestNames(t *testing.T) {
	sum := strings.Repeat("a", 64)
	for _, c := range []struct{ name, sha256, want string }{
		{"mit_b9", "", `no weights are called "mit_b9": want one of mobilenet_v2, `},
		{"mit_nano", "", "weights mit_nano are part of the program, there is nothing to fetch: model.init=mit_nano"},
		{"mit_b0", sum, "its content is settled already"},
		{"hf:mit-b0", "", "want hf:OWNER/NAME"},
		{"hf:a/b:../c", "", "want hf:OWNER/NAME"},
		{"http://host/w.pth", "", "want https://HOST/FILE"},
		{"https://me:secret@host/w.pth", "", "want https://HOST/FILE"},
		{"https://host/", "", "the URL names no file"},
		{"https://host/SHA256SUMS", "", "the URL names no file of weights"},
		{"hf:a/b:c/.hidden", "", "want hf:OWNER/NAME"},
		{"https://host/w.pth", "abc", `SHA-256 "abc": want 64 hexadecimal digits`},
		{"https://host/w.pth#sha256=abc", "", `SHA-256 "abc": want 64 hexadecimal digits`},
		{"https://host/w.pth#sha256=" + sum, strings.Repeat("b", 64), "two digests are asked for"},
	} {
		_, err := Fetch(t.Context(), c.name, Options{Dir: t.TempDir(), SHA256: c.sha256})
		wantError(t, err, c.want)
	}
	entries := map[string]bool{}
	for _, name := range []string{"https://host/w.pth", "https://host/w.pth#sha256=" + sum, "https://other/w.pth", "hf:a/w", "hf:a/w@v1", "hf:a/w:w.pth", "hf:a/w@v1:sub/w.pth"} {
		src, err := parse(name, "")
		must(t, err)
		if e := entryName(src); entries[e] || strings.ContainsAny(e, `/\ `) {
			t.Errorf("%s: entry %s", name, e)
		} else {
			entries[e] = true
		}
	}
	for name, want := range map[string]string{
		"resnet50-0676ba61.pth": "0676ba61", "w-20220624.pth": "", "w-57934424.pth": "57934424", "w-12345.pth": "", "net.pth": "",
		"mit_b5_20220624-658746d9.pth": "658746d9",
	} {
		if have := digestOfName(name).sha256; have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
}

// TestTable: every row says what it is and is pinned where it can be, and
// docs/weights.md has the table.
func TestTable(t *testing.T) {
	rows := [][]string{{"name", "`model.encoder`", "size", "from", "whose weights", "licence"}}
	names := map[string]bool{}
	for _, k := range table() {
		if k.Name == "" || names[k.Name] || k.Encoder == "" || k.Bytes == 0 || k.Licence == "" || k.From == "" || k.Origin == "" {
			t.Errorf("row %+v", k)
		}
		names[k.Name] = true
		switch s := k.source.(type) {
		case pip:
			if len(s.archive.SHA256) != 64 || len(s.member.SHA256) != 64 || s.archive.Version == "" {
				t.Errorf("%s: %+v", k.Name, s)
			}
		case web:
			if again, err := parseURL(s.url, digest{}); err != nil || again != s || len(s.want.sha256) < 8 {
				t.Errorf("%s: %v, %v", k.Name, s, err)
			}
		case hub:
			if again, err := parseHub(k.From, digest{}); err != nil || again != s {
				t.Errorf("%s: %v, %v", k.Name, s, err)
			}
		}
		from := "`" + k.From + "`"
		if strings.HasPrefix(k.From, torchvisionURL) {
			from = "`…/" + strings.TrimPrefix(k.From, torchvisionURL) + "`"
		}
		encoder := "`" + strings.ReplaceAll(k.Encoder, " ", "`, `") + "`"
		rows = append(rows, []string{"`" + k.Name + "`", encoder, fmt.Sprintf("%.0f MB", float64(k.Bytes)/1e6), from, k.Origin, k.Licence})
	}
	text, err := os.ReadFile("../../../docs/weights.md")
	must(t, err)
	if want := texttable.Markdown(rows); !strings.Contains(string(text), want) {
		t.Errorf("docs/weights.md lacks\n%s", want)
	}
}
