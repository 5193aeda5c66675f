// Package limit bounds what files may make the program take memory for.
package limit

import (
	"fmt"
	"os"
	"strconv"
)

// PixelsEnv is the environment variable that sets another number of pixels.
const PixelsEnv = "T2SDA_MAX_PIXELS"

// defaultPixels is Pillow's: pictures beyond it are damaged headers, or attacks, more often
// than photographs. Of so many pixels a decoded picture takes 2 GB, logits of 19 classes
// at its size 14 GB.
const defaultPixels = 178_956_970

// Pixels returns the most pixels that a picture, or a model's input, may have.
func Pixels() (int, error) {
	text := os.Getenv(PixelsEnv)
	if text == "" {
		return defaultPixels, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%s=%s: want a number of pixels", PixelsEnv, text)
	}
	return n, nil
}

// Beyond is the error of sizes beyond [Pixels].
type Beyond struct{ W, H, Most int }

func (b *Beyond) Error() string {
	return fmt.Sprintf("%d×%d pixels are more than the %d that are taken; %s=… sets another limit", b.W, b.H, b.Most, PixelsEnv)
}

// Check refuses sizes beyond [Pixels], before memory is taken for them.
func Check(w, h int) error {
	most, err := Pixels()
	if err == nil && h > 0 && w > most/h {
		err = &Beyond{w, h, most}
	}
	return err
}
