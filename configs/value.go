package configs

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readText reads what follows key= on the command line by the field's type.
// Text is taken as it stands; only quotes around all of it are YAML's.
func readText(t reflect.Type, text string) (any, error) {
	switch {
	case t == reflect.TypeFor[Engines]():
		return readEngines(text)
	case t.Kind() == reflect.String:
		return unquote(text), nil
	case t.Kind() == reflect.Slice:
		return readItems(t, text)
	}
	return readScalar(t, strings.TrimSpace(text))
}

// readNode reads a value of a YAML file by the field's type. The empty value of
// text and lists may be left out, as on the command line.
func readNode(t reflect.Type, n *yaml.Node) (any, error) {
	n = resolved(n)
	switch {
	case t == reflect.TypeFor[Engines]():
		return enginesOf(n)
	case t == reflect.TypeFor[Method]() && n.Kind == yaml.MappingNode:
		return termsOf(n)
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		return readSequence(t, n)
	case n.Kind != yaml.ScalarNode:
		return nil, fmt.Errorf("want %s, have %s", wanted(t), map[yaml.Kind]string{yaml.MappingNode: "key: value pairs", yaml.SequenceNode: "a list"}[n.Kind])
	case n.Tag == "!!binary":
		var text string
		return text, n.Decode(&text)
	case t.Kind() == reflect.Slice && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0:
		return readItems(t, plain(n))
	case t.Kind() == reflect.Slice:
		return list(t, []string{n.Value})
	}
	return readScalar(t, plain(n))
}

// resolved follows an alias to what it stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// plain is a scalar's text, empty for YAML's null.
func plain(n *yaml.Node) string {
	if n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// wanted says what a field of the type takes.
func wanted(t reflect.Type) string {
	switch valueOf(t).Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Uint64:
		return "a whole number from 0 up"
	case reflect.Float64:
		return "a number"
	}
	return "a list"
}

// valueOf is the type of a field's value: a field that may be left unsaid is a pointer.
func valueOf(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// readScalar reads one value: text as it stands, and nothing that is not of the
// type. A whole number may be written with an exponent.
func readScalar(t reflect.Type, text string) (value any, err error) {
	switch valueOf(t).Kind() {
	case reflect.String:
		return text, nil
	case reflect.Bool:
		value, err = readBool(text)
	case reflect.Float64:
		value, err = readFloat(text)
	case reflect.Int:
		var n int64
		n, err = readWhole(text, math.MinInt, math.MaxInt)
		value = int(n)
	case reflect.Int64:
		value, err = readWhole(text, math.MinInt64, math.MaxInt64)
	case reflect.Uint64:
		value, err = readUnsigned(text)
	default:
		panic("configs: no reader for a field of type " + t.String())
	}
	switch {
	case err != nil && text == "":
		return nil, fmt.Errorf("is empty: want %s", wanted(t))
	case err != nil:
		return nil, fmt.Errorf("want %s, have %s%w", wanted(t), text, err)
	}
	return value, nil
}

// Why a text is not a value; [readScalar] says what is wanted and what is there.
var (
	errOther = errors.New("")
	errLarge = errors.New(", which is out of range")
	errSmall = errors.New(", which is too small to tell from 0")
)

func readBool(text string) (bool, error) {
	switch text {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	return false, errOther
}

// Numbers as people and YAML write them, less NaN and the infinities.
var (
	decimal = regexp.MustCompile(`^[-+]?[0-9]+(_[0-9]+)*$`)
	based   = regexp.MustCompile(`^0(x[0-9a-fA-F]+|o[0-7]+|b[01]+)$`)
	float   = regexp.MustCompile(`^[-+]?([0-9]+(_[0-9]+)*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
)

func readFloat(text string) (float64, error) {
	if based.MatchString(text) {
		n, err := readUnsigned(text)
		return float64(n), err
	}
	if !float.MatchString(text) {
		return 0, errOther
	}
	x, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	switch {
	case err != nil:
		return 0, errLarge // the syntax is right
	case x == 0 && strings.ContainsAny(mantissa, "123456789"):
		return 0, errSmall
	}
	return x, nil
}

// readWhole reads a whole number from least to most. Leading zeros are zeros:
// YAML 1.1 would read octal digits.
func readWhole(text string, least, most int64) (int64, error) {
	if decimal.MatchString(text) {
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
		if err != nil || n < least || n > most {
			return 0, errLarge
		}
		return n, nil
	}
	x, err := readFloat(text)
	const exact = 1 << 53 // up to there a float64 holds every whole number
	switch {
	case err != nil:
		return 0, err
	case x != math.Trunc(x):
		return 0, errOther
	case x < max(float64(least), -exact) || x > min(float64(most), exact):
		return 0, errLarge
	}
	return int64(x), nil
}

func readUnsigned(text string) (uint64, error) {
	digits := strings.ReplaceAll(text, "_", "")
	var n uint64
	var err error
	switch {
	case based.MatchString(text):
		n, err = strconv.ParseUint(text, 0, 64)
	case decimal.MatchString(text) && !strings.HasPrefix(text, "-"):
		n, err = strconv.ParseUint(strings.TrimPrefix(digits, "+"), 10, 64)
	default:
		whole, err := readWhole(text, math.MinInt64, math.MaxInt64)
		if err == nil && whole < 0 {
			err = errOther
		}
		return uint64(whole), err
	}
	if err != nil {
		return 0, errLarge // the syntax is right
	}
	return n, nil
}

// unquote takes the quotes off a text that is a quoted YAML scalar as a whole,
// and leaves every other text alone.
func unquote(text string) string {
	if n := quoted(text); n == 0 || n < len(text) {
		return text
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.ScalarNode {
		return text
	}
	return doc.Content[0].Value
}
