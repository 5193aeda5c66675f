package predict

import "t2sda/graphs/engine"

// NewAs serves a session of a model that is run as it is.
func NewAs(s *engine.Session, o Options) (*Predictor, error) {
	return newPredictor(s, s.Name(), o, nil)
}

// Size returns the columns and rows of what the predictor's runs gave last.
func Size(p *Predictor) [2]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.free[len(p.free)-1].slots[0].grid
	return [2]int{g.w, g.h}
}
