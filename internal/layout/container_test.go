package layout

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the module's folder.
const root = "../.."

// pinned is an image of one version: its tag names more than a major one.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:[a-z0-9]*[0-9]+\.[0-9][a-z0-9.-]*$`)

// secret is what the names of secrets have in them.
var secret = regexp.MustCompile(`(?i)token|password|secret|credential|_key`)

// lint lists what is wrong with a Dockerfile.
func lint(text string, exists func(path string) bool) (faults []string) {
	args, stages, user, last := map[string]string{}, []string{}, "", ""
	wrong := func(line, what string) { faults = append(faults, line+": "+what) }
	text = regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(text, "")
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		last = words[0]
		switch words[0] {
		case "ARG":
			name, value, _ := strings.Cut(words[1], "=")
			args[name] = value
			if secret.MatchString(name) {
				wrong(line, "a secret in an image's history")
			}
		case "ENV":
			for _, w := range words[1:] {
				if name, _, _ := strings.Cut(w, "="); secret.MatchString(name) {
					wrong(line, "a secret in the image")
				}
			}
		case "FROM":
			user = ""
			image := os.Expand(words[1], func(name string) string { return args[name] })
			if !slices.Contains(stages, image) && !pinned.MatchString(image) {
				wrong(line, "no image of one version: "+image)
			}
			if len(words) == 4 && words[2] == "AS" {
				stages = append(stages, words[3])
			}
		case "COPY":
			from, ok := strings.CutPrefix(words[1], "--from=")
			if ok && !slices.Contains(stages, from) {
				wrong(line, "there is no stage "+from)
			}
			for _, source := range words[1 : len(words)-1] {
				if !ok && !exists(source) {
					wrong(line, "there is no "+source+", or .dockerignore leaves it out")
				}
			}
		case "USER":
			user = words[1]
		case "RUN", "WORKDIR", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD":
			if (words[0] == "ENTRYPOINT" || words[0] == "CMD") && !strings.HasPrefix(words[1], "[") {
				wrong(line, "a shell would stand between the program and its signals")
			}
		default:
			wrong(line, "an instruction that these files do not need")
		}
	}
	if !regexp.MustCompile(`^[1-9][0-9]*(:[1-9][0-9]*)?$`).MatchString(user) {
		wrong("USER "+user, "the last stage must run as a user of a number other than 0")
	}
	if last != "CMD" {
		wrong(last, "CMD comes last")
	}
	return faults
}

// inContext reports whether a path goes to the builder.
func inContext(t *testing.T) func(path string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	return func(path string) bool {
		for pattern := range strings.Lines(string(text)) {
			if ok, _ := filepath.Match(strings.TrimSpace(pattern), filepath.Clean(path)); ok && path != "." {
				return false
			}
		}
		_, err := os.Stat(filepath.Join(root, path))
		return err == nil
	}
}

func TestDockerfiles(t *testing.T) {
	exists := inContext(t)
	compiler := regexp.MustCompile(`golang:([0-9]+\.[0-9]+)`)
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Dockerfile", "Dockerfile.cuda"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range lint(string(text), exists) {
			t.Errorf("%s: %s", name, fault)
		}
		if m := compiler.FindStringSubmatch(string(text)); m == nil || !strings.Contains(string(module), "\ngo "+m[1]+".") {
			t.Errorf("%s is built by %v, which is not go.mod's version", name, m)
		}
	}
}

// The linter sees what it is there for.
func TestLint(t *testing.T) {
	exists := func(path string) bool { return path == "a" }
	good := "ARG I=debian:12.12-slim\nFROM ${I} AS b\nCOPY a /a\nFROM b\nCOPY --from=b /a /b\nUSER 7\nENTRYPOINT [\"x\"]\nCMD [\"y\"]\n"
	if faults := lint(good, exists); len(faults) > 0 {
		t.Error(faults)
	}
	for _, c := range [][3]string{
		{"debian:12.12-slim", "debian:latest", "no image of one version"},
		{"debian:12.12-slim", "debian", "no image of one version"},
		{"debian:12.12-slim", "debian:12", "no image of one version"},
		{"COPY a /a", "COPY c /a", "there is no c"},
		{"--from=b", "--from=c", "there is no stage c"},
		{"USER 7\n", "", "must run as a user of a number"},
		{"USER 7", "USER root", "must run as a user of a number"},
		{"USER 7", "USER 0", "must run as a user of a number"},
		{"USER 7", "USER 7\nENV API_TOKEN=x", "a secret in the image"},
		{"ARG I", "ARG PASSWORD=x\nARG I", "a secret in an image's history"},
		{`["x"]`, "x", "a shell would stand between"},
		{"COPY a /a", "ADD http://x /a", "an instruction that these files do not need"},
	} {
		faults := strings.Join(lint(strings.Replace(good, c[0], c[1], 1), exists), "\n")
		if !strings.Contains(faults, c[2]) {
			t.Errorf("%s in place of %s: %q, want %q", c[1], c[0], faults, c[2])
		}
	}
}
