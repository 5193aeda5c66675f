package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"t2sda/graphs/weights"
)

// hubPrefix begins names of models of Hugging Face.
const hubPrefix = "hf:"

const (
	hubEndpoint    = "https://huggingface.co"
	hubEndpointEnv = "HF_ENDPOINT" // as Hugging Face's own clients have it
	hubTokenEnv    = "HF_TOKEN"
	hubRevision    = "main"
)

// hub is a model of Hugging Face.
type hub struct {
	repo     string // OWNER/NAME
	revision string // branch, tag or commit
	file     string // in it; empty: the first of [weights.FolderFiles]
	want     digest // of the file; of none where several make the model
}

const indexSuffix = ".index.json"

var hubName = regexp.MustCompile(`^hf:([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?(?::([\w./-]+))?$`)

func parseHub(name string, want digest) (source, error) {
	m := hubName.FindStringSubmatch(name)
	if m == nil || m[3] != "" && (!filepath.IsLocal(m[3]) || ours(path.Base(m[3]))) {
		return nil, fmt.Errorf("weights %q: want %sOWNER/NAME, %[2]sOWNER/NAME@REVISION or %[2]sOWNER/NAME:FILE", name, hubPrefix)
	}
	return hub{m[1], cmp.Or(m[2], hubRevision), m[3], want}, nil
}

func (h hub) id() (id, slug string) {
	return fmt.Sprintf("%s%s@%s:%s%s%s", hubPrefix, h.repo, h.revision, h.file, pinPrefix, h.want.sha256), strings.ReplaceAll(h.repo, "/", "--")
}

func endpoint() string { return strings.TrimRight(cmp.Or(os.Getenv(hubEndpointEnv), hubEndpoint), "/") }

// address is the URL of a file at a revision.
func (h hub) address(revision, file string) string {
	return fmt.Sprintf("%s/%s/resolve/%s/%s", endpoint(), h.repo, url.PathEscape(revision), file)
}

func (h hub) byHand(dir string) string {
	file := cmp.Or(h.file, weights.FolderFiles()[0])
	return fmt.Sprintf("fetch %s (or another of the model's files) elsewhere, put it as %s into %s and run the same command again", h.address(h.revision, file), path.Base(file), dir)
}

func (h hub) get(ctx context.Context, j *job) ([]string, error) {
	if names, err := h.local(j); err != nil || names != nil {
		return names, err
	}
	files := weights.FolderFiles()
	if h.file != "" {
		files = []string{h.file}
	}
	for _, file := range files {
		r, commit, err := h.look(ctx, j, h.revision, file)
		if missing := new(missingError); h.file == "" && errors.As(err, &missing) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if h.want.known() {
			r.want = h.want
		}
		return h.take(ctx, j, r, commit, file)
	}
	return nil, fmt.Errorf("%s at %s has none of %s: name its file, %s%s:FILE", h.repo, h.revision, strings.Join(weights.FolderFiles(), ", "), hubPrefix, h.repo)
}

// local returns the files of a model that is all there, put there by hand.
func (h hub) local(j *job) ([]string, error) {
	files := weights.FolderFiles()
	if h.file != "" {
		files = []string{path.Base(h.file)}
	}
	for _, name := range files {
		there, err := j.there(name)
		if err != nil || !there {
			if err != nil {
				return nil, err
			}
			continue
		}
		names := []string{name}
		if strings.HasSuffix(name, indexSuffix) {
			shards, err := shardsOf(filepath.Join(j.dir, name))
			if err != nil {
				return nil, err
			}
			names = append(names, shards...)
		}
		if all, err := j.allThere(names); err != nil || all {
			return names, cmp.Or(err, h.want.check(filepath.Join(j.dir, name), name+" in "+j.dir))
		}
	}
	return nil, nil
}

func (j *job) allThere(names []string) (bool, error) {
	for _, name := range names {
		if there, err := j.there(name); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

// take downloads a file, and the shards that it lists if it is an index.
func (h hub) take(ctx context.Context, j *job, r remote, commit, file string) ([]string, error) {
	name := path.Base(file)
	if err := j.download(ctx, r, name); err != nil {
		return nil, err
	}
	names := []string{name}
	if !strings.HasSuffix(name, indexSuffix) {
		return names, nil
	}
	shards, err := shardsOf(filepath.Join(j.dir, name))
	if err != nil {
		return nil, err
	}
	for _, shard := range shards {
		r, _, err := h.look(ctx, j, commit, path.Join(path.Dir(file), shard))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shard, err)
		}
		if err := j.download(ctx, r, shard); err != nil {
			return nil, fmt.Errorf("%s: %w", shard, err)
		}
	}
	return append(names, shards...), nil
}

// shardsOf lists the files that an index names, which lie beside it.
func shardsOf(file string) ([]string, error) {
	shards, err := weights.Shards(file)
	if err != nil {
		return nil, err
	}
	for _, name := range shards {
		if name != filepath.Base(name) || !filepath.IsLocal(name) || ours(name) {
			return nil, fmt.Errorf("%s: names %q, want files beside it", file, name)
		}
	}
	return shards, nil
}

// look asks what the server has under a name: its size and digest, which come with
// the answer that leads to the content, and the commit that the revision means.
func (h hub) look(ctx context.Context, j *job, revision, file string) (r remote, commit string, err error) {
	r = remote{url: h.address(revision, file), token: os.Getenv(hubTokenEnv), size: -1, refuse: h.refuse}
	resp, err := j.patiently(ctx, r)
	if err != nil {
		return r, "", fmt.Errorf("ask %s: %w", hostOf(r.url), err)
	}
	defer resp.Body.Close() // of a HEAD, empty
	if resp.StatusCode >= 400 {
		return r, "", h.refuse(resp)
	}
	if n, err := strconv.ParseInt(resp.Header.Get("X-Linked-Size"), 10, 64); err == nil {
		r.size = n
	}
	r.want = digestOfTag(cmp.Or(resp.Header.Get("X-Linked-Etag"), resp.Header.Get("ETag")))
	commit = cmp.Or(resp.Header.Get("X-Repo-Commit"), revision)
	r.url = h.address(commit, file) // what is downloaded, and continued, is of this commit
	return r, commit, nil
}

// patiently asks until the server answers, as downloads do.
func (j *job) patiently(ctx context.Context, r remote) (*response, error) {
	for failures := 1; ; failures++ {
		resp, err := j.ask(ctx, http.MethodHead, r, 0, "")
		passes := isPassing(err)
		if err == nil && isPassing(resp.refusal()) {
			passes, err = true, resp.refusal()
			_ = resp.Body.Close() // of a HEAD, empty
		}
		if !passes || failures == failuresInARow {
			return resp, err
		}
		j.sayf("%s: %v: trying again", hostOf(r.url), err)
		if err := j.pause(ctx, failures); err != nil {
			return nil, err
		}
	}
}

var gitBlob = regexp.MustCompile(`^[0-9a-f]{40}$`)

// digestOfTag reads an entity tag of Hugging Face: the SHA-256 of what lies in its
// store of large files, the SHA-1 of Git's blob of the rest.
func digestOfTag(tag string) digest {
	tag = strings.Trim(tag, `"`)
	switch {
	case wholeSHA256.MatchString(tag):
		return digest{sha256: tag, says: "the server"}
	case gitBlob.MatchString(tag):
		return digest{blob: tag, says: "the server"}
	}
	return digest{}
}

// missingError is a file that the model does not have.
type missingError struct{ err error }

func (e *missingError) Error() string { return e.err.Error() }

// refuse says what a refusal of Hugging Face means.
func (h hub) refuse(r *response) error {
	code := r.Header.Get("X-Error-Code")
	page := endpoint() + "/" + h.repo
	switch {
	case code == "GatedRepo", r.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s is given to those who accept its conditions (%s): do so at %s, and set %s to a token of yours", h.repo, r.Status, page, hubTokenEnv)
	case r.StatusCode == http.StatusUnauthorized && r.token:
		return fmt.Errorf("the token in %s may not read %s (%s): is the name right, and the token good?", hubTokenEnv, h.repo, r.Status)
	case r.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("there is no public model %s (%s): is the name right? For a private one set %s", h.repo, r.Status, hubTokenEnv)
	case code == "RevisionNotFound":
		return fmt.Errorf("%s has no revision %s (%s)", h.repo, h.revision, r.Status)
	case code == "RepoNotFound":
		return fmt.Errorf("there is no model %s (%s)", h.repo, r.Status)
	case r.StatusCode == http.StatusNotFound:
		return &missingError{fmt.Errorf("%s at %s has no such file (%s): %s/tree/%[2]s lists them", h.repo, h.revision, r.Status, page)}
	}
	return r.refusal()
}
