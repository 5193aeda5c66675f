package fetch

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"

	"t2sda/graphs/weights"
)

// source is one place that weights come from.
type source interface {
	// id is all that settles the content, and a name for a folder.
	id() (id, slug string)
	// get puts the files into the job's folder, each whole, and returns their names,
	// the one to open first. Files that are there already, from before or by hand, are
	// taken if they are right.
	get(ctx context.Context, j *job) ([]string, error)
	// byHand says what to put into dir, and where from, where there is no network.
	byHand(dir string) string
}

// pinPrefix ends what is fetched and begins the digest that it must have.
const pinPrefix = "#sha256="

// parse returns the source that a name means, with the content pinned if sha256 or
// the name says so.
func parse(name, sha256 string) (source, error) {
	bare, pin, inName := strings.Cut(name, pinPrefix)
	if inName && sha256 != "" && pin != sha256 {
		return nil, fmt.Errorf("weights %q and SHA-256 %q: two digests are asked for", name, sha256)
	}
	if !inName {
		pin = sha256
	}
	var want digest
	if inName || sha256 != "" {
		var err error
		if want, err = pinned(pin); err != nil {
			return nil, fmt.Errorf("weights %q: %w", name, err)
		}
	}
	switch {
	case strings.HasPrefix(bare, hubPrefix):
		return parseHub(bare, want)
	case strings.Contains(bare, "://"):
		return parseURL(bare, want)
	}
	k, ok := find(bare)
	switch {
	case !ok:
		return nil, unknown(bare)
	case want.known():
		return nil, fmt.Errorf("weights %s: its content is settled already; a SHA-256 is for URLs and %sOWNER/NAME", bare, hubPrefix)
	}
	return k.source, nil
}

// unknown is the error of a name that means nothing.
func unknown(name string) error {
	for _, own := range weights.Pretrained() {
		if name == own {
			return fmt.Errorf("weights %s are part of the program, there is nothing to fetch: model.init=%[1]s", name)
		}
	}
	var names []string
	for _, k := range table() {
		names = append(names, k.Name)
	}
	return fmt.Errorf("no weights are called %q: want one of %s; %sOWNER/NAME[@REVISION][:FILE]; or an https URL", name, strings.Join(names, ", "), hubPrefix)
}

// web is a file with a URL.
type web struct {
	url  string
	want digest
}

func parseURL(text string, want digest) (source, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("weights %q: %w", text, err)
	}
	if u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("weights %q: want https://HOST/FILE, without a user's name (a file of this machine is read as it is: model.init=FILE)", text)
	}
	if base := path.Base(u.Path); base == "/" || ours(base) {
		return nil, fmt.Errorf("weights %q: the URL names no file of weights", text)
	}
	w := web{text, want}
	if !want.known() {
		w.want = digestOfName(path.Base(u.Path))
	}
	return w, nil
}

var unslug = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func (w web) base() string {
	u, err := url.Parse(w.url)
	if err != nil {
		panic(err) // it was parsed before
	}
	return unslug.ReplaceAllString(path.Base(u.Path), "_")
}

func (w web) id() (id, slug string) {
	return w.url + pinPrefix + w.want.sha256, strings.TrimSuffix(w.base(), path.Ext(w.base()))
}

func (w web) get(ctx context.Context, j *job) ([]string, error) {
	return []string{w.base()}, j.download(ctx, remote{url: w.url, want: w.want, size: -1}, w.base())
}

func (w web) byHand(dir string) string {
	return fmt.Sprintf("fetch %s elsewhere, put it as %s into %s and run the same command again", w.url, w.base(), dir)
}
