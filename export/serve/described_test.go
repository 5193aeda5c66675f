package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// described checks requests and answers against openapi.json, and remembers which
// answers there were.
type described struct {
	t    *testing.T
	base http.RoundTripper
	doc  map[string]any
	mu   sync.Mutex
	seen map[string]bool // "post /v1/segment 200"
}

func newDescribed(t *testing.T) *described {
	t.Helper()
	text, err := pageFiles.ReadFile("page/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	d := &described{t: t, base: &http.Transport{DisableKeepAlives: true}, seen: map[string]bool{}}
	if err := json.Unmarshal(text, &d.doc); err != nil {
		t.Fatal(err)
	}
	return d
}

// at walks down objects.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

// resolve follows a reference into the document.
func (d *described) resolve(v any) any {
	if ref, ok := at(v, "$ref").(string); ok {
		return d.resolve(at(d.doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...))
	}
	return v
}

// operation finds a request's operation by its path.
func (d *described) operation(r *http.Request) (name string, operation any) {
	for path, item := range at(d.doc, "paths").(map[string]any) {
		pattern := "^" + regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "[^/]*") + "$"
		if regexp.MustCompile(pattern).MatchString(r.URL.Path) {
			method := strings.ToLower(r.Method)
			return method + " " + path, at(item, method)
		}
	}
	return "", nil
}

func (d *described) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	name, op := d.operation(r)
	if op == nil {
		d.t.Errorf("%s %s is not described", r.Method, r.URL)
		return resp, nil
	}
	if resp.StatusCode < 300 {
		d.checkRequest(name, op, r)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	d.checkAnswer(name, op, resp, body)
	return resp, nil
}

// checkRequest: what was answered is what the description lets be asked.
func (d *described) checkRequest(name string, op any, r *http.Request) {
	parameters, _ := at(op, "parameters").([]any)
	for key, values := range r.URL.Query() {
		i := slices.IndexFunc(parameters, func(p any) bool { return at(p, "name") == key && at(p, "in") == "query" })
		if i < 0 {
			d.t.Errorf("%s was answered with a parameter %s, which is not described", name, key)
			continue
		}
		schema := at(parameters[i], "schema")
		var value any = values[0]
		switch at(schema, "type") {
		case "boolean":
			value = values[0] == "true"
		case "number":
			value, _ = strconv.ParseFloat(values[0], 64)
		}
		d.check(name+" parameter "+key, schema, value)
	}
	if given := r.Header.Get("Content-Type"); given != "" {
		kinds := at(op, "requestBody", "content").(map[string]any)
		main, _, _ := strings.Cut(given, "/")
		if kinds[given] == nil && kinds[main+"/*"] == nil {
			d.t.Errorf("%s was answered with a body of %s, which is not described", name, given)
		}
	}
}

// checkAnswer: status, headers, kind and content are described.
func (d *described) checkAnswer(name string, op any, resp *http.Response, body []byte) {
	status := strconv.Itoa(resp.StatusCode)
	answer := d.resolve(at(op, "responses", status))
	if answer == nil {
		d.t.Errorf("%s is answered with %s, which is not described: %s", name, status, body)
		return
	}
	d.mu.Lock()
	d.seen[name+" "+status] = true
	d.mu.Unlock()
	headers, _ := at(answer, "headers").(map[string]any)
	for key, header := range headers {
		text := resp.Header.Get(key)
		if at(header, "required") == true && text == "" {
			d.t.Errorf("%s %s has no %s", name, status, key)
		}
		if at(header, "schema", "type") == "integer" && text != "" {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				d.t.Errorf("%s: %v", key, err)
			}
			d.check(key, at(header, "schema"), n)
		}
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	kind, known := at(answer, "content").(map[string]any)[media]
	if err != nil || !known {
		d.t.Errorf("%s %s is of type %q, which is not described", name, status, resp.Header.Get("Content-Type"))
		return
	}
	if schema := at(kind, "schema"); schema != nil {
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			d.t.Errorf("%s %s: %v", name, status, err)
		}
		d.check(name+" "+status, schema, value)
	}
}

// check reports where a value does not fit a schema, of the keywords that the document
// uses (TestKeywords).
func (d *described) check(where string, schema, value any) {
	schema = d.resolve(schema)
	wrong := func(format string, args ...any) { d.t.Errorf("%s: %s", where, fmt.Sprintf(format, args...)) }
	if enum, ok := at(schema, "enum").([]any); ok && !slices.Contains(enum, value) {
		wrong("%v is none of %v", value, enum)
	}
	switch v := value.(type) {
	case map[string]any:
		d.checkObject(where, schema, v, wrong)
	case []any:
		if at(schema, "type") != "array" {
			wrong("an array, want %v", at(schema, "type"))
		}
		for i, item := range v {
			d.check(fmt.Sprintf("%s[%d]", where, i), at(schema, "items"), item)
		}
	case string:
		pattern, _ := at(schema, "pattern").(string)
		if at(schema, "type") != "string" || !regexp.MustCompile(pattern).MatchString(v) {
			wrong("%q, want %v %s", v, at(schema, "type"), pattern)
		}
	case bool:
		if at(schema, "type") != "boolean" {
			wrong("%v, want %v", v, at(schema, "type"))
		}
	case float64:
		kind := at(schema, "type")
		least, hasLeast := at(schema, "minimum").(float64)
		most, hasMost := at(schema, "maximum").(float64)
		if kind != "number" && (kind != "integer" || v != math.Trunc(v)) || hasLeast && v < least || hasMost && v > most {
			wrong("%v, want %v from %v to %v", v, kind, at(schema, "minimum"), at(schema, "maximum"))
		}
	default:
		wrong("%v is of no type that is described", v)
	}
}

func (d *described) checkObject(where string, schema any, v map[string]any, wrong func(string, ...any)) {
	if at(schema, "type") != "object" {
		wrong("an object, want %v", at(schema, "type"))
	}
	required, _ := at(schema, "required").([]any)
	for _, key := range required {
		if _, ok := v[key.(string)]; !ok {
			wrong("%v is missing", key)
		}
	}
	for key, item := range v {
		property := at(schema, "properties", key)
		if property == nil {
			wrong("%s is not described", key)
			continue
		}
		d.check(where+"."+key, property, item)
	}
}

// all lists the answers that are described.
func (d *described) all() []string {
	var all []string
	for path, item := range at(d.doc, "paths").(map[string]any) {
		for method, op := range item.(map[string]any) {
			for status := range at(op, "responses").(map[string]any) {
				all = append(all, method+" "+path+" "+status)
			}
		}
	}
	slices.Sort(all)
	return all
}

// The test's validator knows every keyword of schemas that the document uses.
func TestKeywords(t *testing.T) {
	known := []string{
		"type", "enum", "default", "minimum", "maximum", "pattern", "contentEncoding", "required", "additionalProperties", "properties", "items", "description", "$ref",
	}
	d := newDescribed(t)
	var visit func(where string, schema any)
	visit = func(where string, schema any) {
		m, ok := schema.(map[string]any)
		if !ok {
			t.Fatalf("%s is no schema", where)
		}
		for key, v := range m {
			if !slices.Contains(known, key) {
				t.Errorf("%s: the keyword %s", where, key)
			}
			if key == "additionalProperties" && v != false {
				t.Errorf("%s: additionalProperties is %v", where, v)
			}
		}
		if m["$ref"] != nil && d.resolve(m) == nil {
			t.Errorf("%s: %v leads nowhere", where, m["$ref"])
		}
		if properties, ok := m["properties"].(map[string]any); ok {
			if m["additionalProperties"] == nil {
				t.Errorf("%s lets anything else be", where)
			}
			for key, v := range properties {
				visit(where+"."+key, v)
			}
		}
		if items := m["items"]; items != nil {
			visit(where+"[]", items)
		}
	}
	for name, schema := range at(d.doc, "components", "schemas").(map[string]any) {
		visit(name, schema)
	}
}
