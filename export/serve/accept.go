package serve

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The kinds of answers to /v1/segment, the one preferred where a request leaves the
// choice first.
const (
	answerLabels  = "image/png"
	answerJSON    = "application/json"
	answerOverlay = "image/jpeg"
)

var answers = []string{answerLabels, answerJSON, answerOverlay}

// negotiate chooses the answer that a request's Accept fields like best (RFC 9110,
// section 12.5.1): the most specific range that fits a kind gives its quality.
func negotiate(fields []string) (string, error) {
	text := strings.Join(fields, ",")
	if strings.TrimSpace(text) == "" {
		return answers[0], nil
	}
	best, most := "", 0.0
	for _, kind := range answers {
		if q := quality(text, kind); q > most {
			best, most = kind, q
		}
	}
	if best == "" {
		return "", problemf(http.StatusNotAcceptable,
			"Accept: %s: what there is, is %s (the label map), %s (runs of classes) and %s (the image with the classes over it)",
			text, answerLabels, answerJSON, answerOverlay)
	}
	return best, nil
}

// quality is how much the ranges of an Accept field like a kind, 0 for not at all.
func quality(field, kind string) float64 {
	q, specific := 0.0, -1
	main, _, _ := strings.Cut(kind, "/")
	for part := range strings.SplitSeq(field, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue // what cannot be read asks for nothing
		}
		level := -1
		switch media {
		case kind:
			level = 2
		case main + "/*":
			level = 1
		case "*/*":
			level = 0
		}
		if level <= specific {
			continue
		}
		specific, q = level, 1
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
		}
	}
	return q
}

// checkContentType refuses bodies that are said to be something else than an image's
// file. What the file is, its content says: curl's default type is taken as well.
func checkContentType(field string) error {
	if field == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(field)
	switch {
	case err == nil && (strings.HasPrefix(media, "image/") || media == "application/octet-stream" || media == "application/x-www-form-urlencoded"):
		return nil
	case strings.HasPrefix(media, "multipart/"):
		return problemf(http.StatusUnsupportedMediaType, "the body is a form: send the image's file itself (curl --data-binary @photo.jpg, not -F)")
	}
	return problemf(http.StatusUnsupportedMediaType, "Content-Type: %s: want the file of an image (image/jpeg, image/png, … or application/octet-stream)", field)
}
