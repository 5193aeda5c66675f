package reel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"t2sda/datasets"
	"t2sda/internal/filekind"
	"t2sda/internal/imagefile"
	"t2sda/internal/limit"
)

// stdin is what an image that comes by standard input, and what becomes of it, is called.
const (
	stdin     = "standard input"
	stdinName = "stdin"
)

// mostStdin is how much standard input may hold, bytes.
const mostStdin = 1 << 30

// addStdin adds what is on standard input: an image, or a list of names.
func (o Options) addStdin(in *inputs) error {
	text, err := io.ReadAll(io.LimitReader(o.Stdin, mostStdin+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading %s: %w", stdin, err)
	case len(text) > mostStdin:
		return fmt.Errorf("%s holds more than %d bytes: give it as a file", stdin, mostStdin)
	}
	_, err = imagefile.HeaderOf(stdin, text)
	if err == nil || errors.As(err, new(*limit.Beyond)) {
		in.entries = append(in.entries, entry{kind: content, path: stdin, name: stdinName, data: text})
		return nil
	}
	if bytes.HasPrefix(text, []byte("\x89PNG")) || bytes.HasPrefix(text, []byte("\xff\xd8\xff")) {
		return err // an image that is damaged from the beginning
	}
	if kind := filekind.Of(text); kind != "" {
		return fmt.Errorf("%s is %s: want an image (%s), or the names of files", stdin, kind, imagefile.Known)
	}
	files, err := readNames(string(text))
	if err != nil {
		return err
	}
	return o.addNamed(files, in)
}

// readNames reads paths, one a line as a list of a data set has them, with its
// comments and blanks at the ends, or with zero bytes between them as find -print0
// writes them. A line that names a file as it stands is that file.
func readNames(text string) ([]string, error) {
	lines := strings.Split(text, "\x00")
	if len(lines) == 1 {
		lines = datasets.ListLines(text)
		for i, line := range lines {
			if _, err := os.Stat(line); errors.Is(err, os.ErrNotExist) {
				lines[i] = strings.TrimSpace(line)
				if strings.HasPrefix(lines[i], "#") {
					lines[i] = ""
				}
			}
		}
	}
	names := slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	if len(names) == 0 {
		return nil, errors.New("no names to read")
	}
	return names, nil
}
