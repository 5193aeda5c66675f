package graphs

// RuleKind names an operator's entry in the rule table for tests: "rule", "none", "not
// differentiable" or "" when there is none.
func RuleKind(op string) string {
	return map[kind]string{hasRule: "rule", noGradient: "none", notDifferentiable: "not differentiable"}[rules[op].kind]
}

// RuleOperators returns the operators that the rule table holds.
func RuleOperators() []string {
	var ops []string
	for op := range rules {
		ops = append(ops, op)
	}
	return ops
}
