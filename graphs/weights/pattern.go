package weights

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// pattern is a family of names that can be read and written: text in which {s}
// stands for a number called s, {s+1} for that number plus one, (text) for a text
// that names may lack, and * at the end for the rest.
type pattern struct {
	tokens []token
	match  *regexp.Regexp
}

// token is a piece of a pattern: literal text, or a variable.
type token struct {
	text     string // literal; the name of a variable, "*" for the rest
	variable bool
	plus     int // what a number has in addition
}

var tokenForm = regexp.MustCompile(`\{(\w+)(\+1)?\}|\(([^)]*)\)|\*$`)

// parsePattern panics over a malformed text, which is a mistake in a table.
func parsePattern(text string) pattern {
	var p pattern
	var re strings.Builder
	re.WriteString("^")
	literal := func(s, form string) {
		if s != "" {
			p.tokens = append(p.tokens, token{text: s})
			fmt.Fprintf(&re, form, regexp.QuoteMeta(s))
		}
	}
	at := 0
	for _, m := range tokenForm.FindAllStringSubmatchIndex(text, -1) {
		literal(text[at:m[0]], "%s")
		at = m[1]
		switch {
		case m[2] >= 0:
			p.tokens = append(p.tokens, token{text: text[m[2]:m[3]], variable: true, plus: min(m[5]-m[4], 1)})
			re.WriteString(`(\d{1,6})`)
		case m[6] >= 0:
			literal(text[m[6]:m[7]], "(?:%s)?")
		default:
			p.tokens = append(p.tokens, token{text: "*", variable: true})
			re.WriteString(`(.+)`)
		}
	}
	literal(text[at:], "%s")
	p.match = regexp.MustCompile(re.String() + "$")
	return p
}

// read returns the variables of a name, false where it is none of the pattern's.
func (p pattern) read(name string) (map[string]string, bool) {
	m := p.match.FindStringSubmatch(name)
	if m == nil {
		return nil, false
	}
	vars := map[string]string{}
	for _, t := range p.tokens {
		if !t.variable {
			continue
		}
		value := m[len(vars)+1]
		if t.plus != 0 {
			n, err := strconv.Atoi(value)
			if err != nil || n < t.plus {
				return nil, false
			}
			value = strconv.Itoa(n - t.plus)
		}
		vars[t.text] = value
	}
	return vars, true
}

// write returns the name for the variables' values.
func (p pattern) write(vars map[string]string) string {
	var b strings.Builder
	for _, t := range p.tokens {
		switch {
		case !t.variable:
			b.WriteString(t.text)
		case t.plus != 0:
			n, _ := strconv.Atoi(vars[t.text]) // a number, by the other pattern's read
			b.WriteString(strconv.Itoa(n + t.plus))
		default:
			b.WriteString(vars[t.text])
		}
	}
	return b.String()
}
