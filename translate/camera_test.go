package translate

import (
	"context"
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"t2sda/internal/raster"
)

// imagesOf lets Measure see images in memory.
func imagesOf(m ...*raster.Image) Images {
	return Images{Len: len(m), Load: func(_ context.Context, i int) (*raster.Image, error) { return m[i], nil }}
}

// sceneModel is fitted to a scene of each domain.
func sceneModel(t testing.TB) *CameraModel {
	t.Helper()
	m, err := FitCamera(t.Context(), imagesOf(scene(1, 64, 48)), imagesOf(scene(2, 64, 48)), MeasureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCameraCropIsTheCrop(t *testing.T) {
	m := sceneModel(t)
	m.Blur, m.Vignette = [2]Blur{{Sigma: 0.9, Glare: 0.1, Wide: 2.5}, {Sigma: 1.3}}, 0.2
	c, err := NewCamera(m, DefaultCameraOptions())
	if err != nil {
		t.Fatal(err)
	}
	source := scene(3, 150, 140)
	whole := mustTranslate(t, c, source, nil)
	for _, crop := range []image.Rectangle{image.Rect(0, 0, 150, 140), image.Rect(1, 2, 2, 3), image.Rect(60, 50, 131, 140), image.Rect(100, 0, 150, 65)} {
		part, err := c.TranslateCrop(rand.New(rand.NewPCG(7, 7)), source, nil, crop)
		if err != nil {
			t.Fatal(err)
		}
		if want := whole.Crop(crop.Min.X, crop.Min.Y, crop.Dx(), crop.Dy()); !slices.Equal(part.Pix, want.Pix) {
			t.Errorf("crop %v differs from the whole", crop)
		}
	}
	if _, err := c.TranslateCrop(rand.New(rand.NewPCG(7, 7)), source, nil, image.Rect(100, 0, 151, 1)); err == nil {
		t.Error("a crop that leaves the image is accepted")
	}
}
