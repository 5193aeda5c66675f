package weights

import (
	"fmt"
	"slices"
	"strings"
)

// wrappers are the words that checkpoints put before the names of a model's
// tensors: keys of the dictionary that holds the state, and attributes of what
// wraps the model. Where several parts fit equally well, the model that was trained
// is meant, its moving average or a frozen copy only when it is asked for; the order
// is that.
var wrappers = []string{
	"state_dict", "model_state_dict", "model_state", "module", "model", "net", "network", "student", "params", "weights",
	"teacher", "ema_model", "model_ema", "state_dict_ema", "ema", "imnet_model",
}

// aside are the words that come before what is no weight: optimisers, schedules,
// logs.
var aside = []string{"optimizer", "optimizers", "optimizer_states", "lr_schedulers", "lr_scheduler", "scheduler", "scaler", "amp", "meta", "message_hub", "callbacks", "loops", "hyper_parameters"}

// part is a model in a file: the tensors whose names begin with prefix, under the
// rest of their names.
type part struct {
	prefix  string // with its dot; empty for the whole file
	tensors []Info
}

// name returns the prefix in words.
func (p part) name() string { return strings.TrimSuffix(p.prefix, ".") }

// maxParts is the largest number of models of a file; checkpoints hold a handful.
const maxParts = 64

// partsOf divides a file's tensors into the models that it holds, likeliest first.
// What belongs to none, an optimiser's moments for example, is left.
func partsOf(tensors []Info) ([]part, error) {
	var parts []part
	for _, t := range tensors {
		first, _, _ := strings.Cut(t.Name, ".")
		if slices.Contains(aside, first) {
			continue
		}
		prefix := prefixOf(t.Name)
		i := slices.IndexFunc(parts, func(p part) bool { return p.prefix == prefix })
		if i < 0 && len(parts) == maxParts {
			return nil, fmt.Errorf("malformed: its names are those of more than %d models", maxParts)
		}
		if i < 0 {
			i = len(parts)
			parts = append(parts, part{prefix: prefix})
		}
		t.Name = t.Name[len(prefix):]
		parts[i].tensors = append(parts[i].tensors, t)
	}
	slices.SortStableFunc(parts, func(a, b part) int { return slices.Compare(a.ranks(), b.ranks()) })
	return parts, nil
}

// prefixOf returns the wrappers that a name begins with. The last word of a name is
// never one.
func prefixOf(name string) string {
	at := 0
	for {
		word, _, more := strings.Cut(name[at:], ".")
		if !more || !slices.Contains(wrappers, word) {
			return name[:at]
		}
		at += len(word) + 1
	}
}

// ranks are the places of the prefix's words in the order of likelihood.
func (p part) ranks() []int {
	var ranks []int
	for word := range strings.SplitSeq(p.name(), ".") {
		ranks = append(ranks, slices.Index(wrappers, word))
	}
	// A moving average within a checkpoint is one wherever the word stands.
	return []int{slices.Max(ranks)}
}

// choose returns the parts that the user's word means: all for none.
func choose(parts []part, word string) ([]part, error) {
	if word == "" {
		return parts, nil
	}
	word = strings.TrimSuffix(word, ".")
	var names []string
	for _, p := range parts {
		words := strings.Split(p.name(), ".")
		if p.name() == word || words[len(words)-1] == word {
			return []part{p}, nil
		}
		names = append(names, fmt.Sprintf("%q", p.name()))
	}
	return nil, fmt.Errorf("there is no part %q in it; there is %s", word, strings.Join(names, ", "))
}

// Parts lists the models that the file holds, by their prefixes, likeliest first;
// empty stands for names without one.
func (f *File) Parts() []string {
	if _, err := f.candidates(""); err != nil {
		return nil
	}
	names := make([]string, len(f.parts))
	for i, p := range f.parts {
		names[i] = p.name()
	}
	return names
}
