package analyze

import (
	"fmt"
	"image"
	"path/filepath"

	"t2sda/export/picture"
	"t2sda/export/score"
	"t2sda/internal/raster"
)

// draw writes the pictures into a folder.
func (r *Result) draw(dir string) error {
	for _, p := range []struct {
		file string
		draw func() (image.Image, error)
	}{
		{similarityFile, r.similarityPicture},
		{distancesFile, r.distancesPicture},
		{pcaFile, r.pcaPicture},
		{tsneFile, r.tsnePicture},
	} {
		drawn, err := p.draw()
		if err != nil {
			return err
		}
		path := filepath.Join(dir, p.file)
		if err := raster.WritePNG(path, drawn); err != nil {
			return err
		}
		r.Files = append(r.Files, path)
	}
	return nil
}

// similarityPicture is the paper's Figure 1, with IoU on the source beside it
// (Table 17).
func (r *Result) similarityPicture() (image.Image, error) {
	share := func(iou score.Score) float64 { return 100 * float64(iou) }
	target := r.measure("IoU on target images, %", 1, func(c Class) float64 { return share(c.Target.IoU) })
	source := r.measure("IoU on source images, %", 1, func(c Class) float64 { return share(c.Source.IoU) })
	target.Hi, source.Hi = 100, 100
	return picture.Measures("Similarity of the domains' features, and IoU", r.rows(), r.Names(),
		r.measure("similarity (high: alike)", 3, func(c Class) float64 { return float64(c.Similarity) }), target, source)
}

// distancesPicture is the paper's Figure 7.
func (r *Result) distancesPicture() (image.Image, error) {
	panels := []picture.Measure{
		r.measure("CCD, target images", 3, func(c Class) float64 { return float64(c.Target.CCD) }),
		r.measure("CCD, source images", 3, func(c Class) float64 { return float64(c.Source.CCD) }),
		r.measure("PDD, target images", 3, func(c Class) float64 { return float64(c.Target.PDD) }),
		r.measure("PDD, source images", 3, func(c Class) float64 { return float64(c.Source.PDD) }),
	}
	picture.ShareScale(&panels[0], &panels[1])
	picture.ShareScale(&panels[2], &panels[3])
	return picture.Measures("How well classes are told apart: the lower, the better", r.rows(), r.Names(), panels...)
}

// rows are the mean and all classes.
func (r *Result) rows() []string {
	return append([]string{r.Networks[0].Mean.Name}, r.Space.Names()...)
}

// measure is a panel: one measure of all classes and networks.
func (r *Result) measure(title string, digits int, of func(c Class) float64) picture.Measure {
	m := picture.Measure{Title: title, Digits: digits}
	for _, n := range r.Networks {
		values := []float64{of(n.Mean)}
		for _, c := range n.Classes {
			values = append(values, of(c))
		}
		m.Values = append(m.Values, values)
	}
	return m
}

func (r *Result) pcaPicture() (image.Image, error) {
	var planes []picture.Scatter
	for i := len(r.Networks) - 1; i >= 0; i-- { // before above after
		n := r.Networks[i]
		s := n.embedded.scatter(r.Names()[i], n.embedded.pca)
		s.X = fmt.Sprintf("first component, %.0f %% of the variance", 100*n.embedded.variance[0])
		s.Y = fmt.Sprintf("second component, %.0f %%", 100*n.embedded.variance[1])
		planes = append(planes, s)
	}
	return picture.Scatters("Features in both domains: principal components", r.Space, planes...)
}

// tsnePicture is the paper's Figure 8.
func (r *Result) tsnePicture() (image.Image, error) {
	var planes []picture.Scatter
	for i := len(r.Networks) - 1; i >= 0; i-- {
		n := r.Networks[i]
		planes = append(planes, n.embedded.scatter(r.Names()[i], n.embedded.tsne.Points))
	}
	return picture.Scatters("Features in both domains: t-SNE", r.Space, planes...)
}

func (e *embedding) scatter(name string, at [][2]float64) picture.Scatter {
	s := picture.Scatter{Name: name}
	for i, p := range e.points {
		s.Points = append(s.Points, picture.Point{X: at[i][0], Y: at[i][1], Class: int(p.class), Target: p.target})
	}
	return s
}
