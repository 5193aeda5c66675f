package configs

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readSequence reads a YAML list.
func readSequence(t reflect.Type, n *yaml.Node) (any, error) {
	out := reflect.MakeSlice(t, 0, len(n.Content))
	for i, item := range n.Content {
		if resolved(item).Tag == "!!null" {
			return nil, fmt.Errorf("item %d is empty", i+1)
		}
		v, err := readNode(t.Elem(), item)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		out = reflect.Append(out, reflect.ValueOf(v))
	}
	return out.Interface(), nil
}

// readItems reads a list as people type it: items between commas, in brackets
// or not. Brackets and braces within an item, as in the glob [ab]*, keep it
// together, and an item may stand in quotes.
func readItems(t reflect.Type, text string) (any, error) {
	text = strings.TrimSpace(text)
	if whole, ok := bracketed(text); ok {
		text = strings.TrimSpace(whole)
	}
	items, err := split(text)
	if err != nil {
		return nil, err
	}
	return list(t, items)
}

// list makes a slice of type t of the items.
func list(t reflect.Type, items []string) (any, error) {
	out := reflect.MakeSlice(t, 0, len(items))
	for i, item := range items {
		v, err := readScalar(t.Elem(), item)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		out = reflect.Append(out, reflect.ValueOf(v))
	}
	return out.Interface(), nil
}

// bracketed returns what stands between a text's first bracket and the one that
// closes it, if that is its last character.
func bracketed(text string) (string, bool) {
	if !strings.HasPrefix(text, "[") {
		return "", false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"', '\'':
			if !strings.ContainsAny(text[i-1:i], "[, ") {
				continue // within a name
			}
			end := quoted(text[i:])
			if end == 0 {
				return "", false
			}
			i += end - 1
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return text[1:i], i == len(text)-1
			}
		}
	}
	return "", false
}

// split cuts a text at its commas. Nothing has no items, and a comma may end the
// last one.
func split(text string) ([]string, error) {
	var items []string
	for text != "" {
		end, quotes := 0, quoted(text)
		for depth := 0; end < len(text) && (text[end] != ',' || depth > 0 || end < quotes); end++ {
			if end < quotes {
				continue
			}
			switch text[end] {
			case '[', '{':
				depth++
			case ']', '}':
				depth--
			}
		}
		item := strings.TrimSpace(text[:end])
		if item == "" {
			return nil, errors.New("an item is empty")
		}
		items = append(items, unquote(item))
		if end == len(text) {
			break
		}
		text = strings.TrimSpace(text[end+1:])
	}
	return items, nil
}

// quoted returns the length of the quoted scalar that the text begins with, 0 if
// there is none.
func quoted(text string) int {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch {
		case text[0] == '"' && text[i] == '\\':
			i++
		case text[0] == '\'' && strings.HasPrefix(text[i:], "''"):
			i++
		case text[i] == text[0]:
			return i + 1
		}
	}
	return 0
}
