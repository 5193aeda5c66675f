package report

// Why is what a run's page shows to say why adaptation worked, or did not. What
// is empty is left out.
type Why struct {
	Looks  Looks
	Alike  Alike
	Pulled []Pulled // per class; nil for methods that do not pull
}

// pageWhy is the section as the template sees it.
type pageWhy struct {
	Looks *pageLooks
	Alike *pageAlike
	Pull  *pagePull
}

// why fills the section; it stays nil when there is nothing to show.
func (p *page) why() error {
	w := &pageWhy{}
	var err error
	if w.Looks, err = p.Data.Why.Looks.page(); err != nil {
		return err
	}
	if w.Alike, err = p.alike(); err != nil {
		return err
	}
	if w.Pull, err = pullTable(p.Space, p.Data.Why.Pulled); err != nil {
		return err
	}
	if *w != (pageWhy{}) {
		p.Reasons = w
	}
	return nil
}
