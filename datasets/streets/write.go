package streets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"t2sda/internal/atomicfile"
	"t2sda/internal/raster"
)

// manifestName is the file in the root of a tree that tells how it was made.
const manifestName = "streets.json"

// valOffset separates the streets of the two splits: training takes indices
// from 0, validation from here.
const valOffset = 1 << 30

// WriteOptions says what [Write] renders.
type WriteOptions struct {
	Seed       uint64
	Domain     Domain
	Train, Val int                   // pictures per split
	W, H       int                   // pixels
	Workers    int                   // 0: one per core
	Progress   func(done, total int) // may be nil; called from one goroutine at a time
}

// manifest is the record of a tree.
type manifest struct {
	Version int    `json:"version"`
	Seed    uint64 `json:"seed"`
	Domain  Domain `json:"domain"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Train   int    `json:"train"`
	Val     int    `json:"val"`
}

// sameLook tells whether equal indices give equal pictures in both trees.
func (m manifest) sameLook(o manifest) bool {
	m.Train, m.Val = o.Train, o.Val
	return m == o
}

// Write renders a tree as Cityscapes distributes it below root:
//
//	leftImg8bit/{train,val}/<city>/<city>_000000_000019_leftImg8bit.png
//	gtFine/{train,val}/<city>/<city>_000000_000019_gtFine_labelIds.png
//
// The label files hold the raw Cityscapes ids as 8-bit gray. A tree that is
// there already is completed, enlarged or cut to the options; when seed,
// domain, size or [Version] changed, its files are replaced. Only files that
// its manifest (streets.json) accounts for are ever removed, and a root with
// pictures but without manifest is refused. Files are written atomically, so
// that a run that was stopped can be continued, and their digests are kept
// (SHA256SUMS): a file that has changed since is rendered again. Errors name the
// file; a cancelled context gives its error.
func Write(ctx context.Context, root string, o WriteOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	want := o.manifest()
	if err := prepare(root, want); err != nil {
		return fmt.Errorf("streets: %w", err)
	}
	root = filepath.Clean(root)
	jobs := want.shots()
	kept, err := openLedger(root, want.files(root))
	if err != nil {
		return fmt.Errorf("streets: %w", err)
	}
	defer func() { err = errors.Join(err, kept.close()) }()
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var mu sync.Mutex
	done := 0
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, j := range jobs {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := inner.Err(); err != nil {
				return err
			}
			if err := j.write(kept, want); err != nil {
				return fmt.Errorf("streets: %w", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if done++; o.Progress != nil {
				o.Progress(done, len(jobs))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func (o *WriteOptions) check() error {
	switch {
	case !o.Domain.Valid():
		return fmt.Errorf("streets: domain %q is neither %q nor %q", o.Domain, Game, Camera)
	case o.W < 16 || o.H < 16:
		return fmt.Errorf("streets: size %d×%d is below 16×16", o.W, o.H)
	case o.Train < 0 || o.Val < 0 || o.Train+o.Val == 0:
		return fmt.Errorf("streets: %d training and %d validation pictures asked for", o.Train, o.Val)
	case o.Train > valOffset || o.Val > valOffset:
		return fmt.Errorf("streets: more than %d pictures in a split", valOffset)
	}
	return nil
}

// prepare removes files of an earlier tree that the new one does not have and
// records the new one before its first file is written.
func prepare(root string, want manifest) error {
	path := filepath.Join(root, manifestName)
	have, err := readManifest(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		for _, dir := range []string{"leftImg8bit", "gtFine"} {
			if _, err := os.Lstat(filepath.Join(root, dir)); err == nil {
				return fmt.Errorf("%s exists, but without %s: it was not rendered here and is left alone", filepath.Join(root, dir), manifestName)
			}
		}
	case err != nil:
		return err
	default:
		if err := prune(root, have, want); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(root, 0o777); err != nil {
		return err
	}
	return errors.Join(atomicfile.RemoveLeftoversBeside(append(want.paths(root), path)...), atomicfile.WriteJSON(path, want))
}

// Check is an error where the tree below root was rendered by other options. A folder that no record says
// anything of may hold anything.
func Check(root string, o WriteOptions) error {
	have, err := readManifest(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if want := o.manifest(); have != want {
		return fmt.Errorf("%s: the streets there are now others (%s), not these (%s)", filepath.Join(root, manifestName), have, want)
	}
	return nil
}

// readManifest reads a tree's record; where there is none, the error is fs.ErrNotExist.
func readManifest(root string) (m manifest, err error) {
	path := filepath.Join(root, manifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func (o WriteOptions) manifest() manifest {
	return manifest{Version, o.Seed, o.Domain, o.W, o.H, o.Train, o.Val}
}

func (m manifest) String() string {
	return fmt.Sprintf("version %d, %s, seed %d, %d×%d, %d to train with and %d to validate", m.Version, m.Domain, m.Seed, m.Width, m.Height, m.Train, m.Val)
}

// prune deletes the files of have that are not part of want.
func prune(root string, have, want manifest) error {
	keep := map[shot]bool{}
	if have.sameLook(want) {
		for _, j := range want.shots() {
			keep[j] = true
		}
	}
	for _, j := range have.present(root) {
		if keep[j] {
			continue
		}
		img, lab := j.paths(root, have.Domain)
		for _, p := range []string{lab, img} {
			if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// shot is one picture of a tree.
type shot struct {
	split string
	n     int // within the split
}

func (m manifest) shots() []shot {
	js := make([]shot, 0, m.Train+m.Val)
	for n := range m.Train {
		js = append(js, shot{"train", n})
	}
	for n := range m.Val {
		js = append(js, shot{"val", n})
	}
	return js
}

// present lists the tree's shots of which there is a file: what the record claims may be
// far more, if it was damaged.
func (m manifest) present(root string) []shot {
	var js []shot
	for split, count := range map[string]int{"train": m.Train, "val": m.Val} {
		towns := cities(m.Domain, split)
		for t := range towns {
			img, lab := shot{split, t}.paths(root, m.Domain)
			for _, dir := range []string{filepath.Dir(img), filepath.Dir(lab)} {
				entries, _ := os.ReadDir(dir) // none where there is no folder
				for _, e := range entries {
					var n int
					name := strings.TrimPrefix(e.Name(), towns[t]+"_")
					if _, err := fmt.Sscanf(name, "%d_", &n); err != nil || n < 0 || n > valOffset {
						continue
					}
					if j := (shot{split, n*len(towns) + t}); j.n < count {
						js = append(js, j)
					}
				}
			}
		}
	}
	return js
}

// cities are the invented towns of a domain's split.
func cities(d Domain, split string) []string {
	switch {
	case d == Game && split == "train":
		return []string{"santavera", "eastmoor", "palmerton", "cordova"}
	case d == Game:
		return []string{"northgate"}
	case split == "train":
		return []string{"altenfurt", "brunnau", "eschenweiler", "lindental"}
	}
	return []string{"morheim", "steinach"}
}

// index is the street that the shot shows.
func (j shot) index() int {
	if j.split == "val" {
		return valOffset + j.n
	}
	return j.n
}

// paths gives the files of the picture and of its labels.
func (j shot) paths(root string, d Domain) (img, lab string) {
	towns := cities(d, j.split)
	town := towns[j.n%len(towns)]
	stem := fmt.Sprintf("%s_%06d_000019", town, j.n/len(towns))
	return filepath.Join(root, "leftImg8bit", j.split, town, stem+"_leftImg8bit.png"),
		filepath.Join(root, "gtFine", j.split, town, stem+"_gtFine_labelIds.png")
}

// paths lists the tree's pictures and labels.
func (m manifest) paths(root string) []string {
	var all []string
	for _, j := range m.shots() {
		img, lab := j.paths(root, m.Domain)
		all = append(all, img, lab)
	}
	return all
}

// files is the set of [manifest.paths] as the list of digests names them.
func (m manifest) files(root string) map[string]bool {
	all := map[string]bool{}
	l := &ledger{root: root}
	for _, path := range m.paths(root) {
		all[l.name(path)] = true
	}
	return all
}

// write renders the shot unless both of its files are as they were rendered.
func (j shot) write(kept *ledger, m manifest) error {
	imgPath, labPath := j.paths(kept.root, m.Domain)
	if kept.holds(imgPath) && kept.holds(labPath) {
		return nil
	}
	img, lab := Render(m.Seed, j.index(), m.Domain, m.Width, m.Height)
	if err := encode(kept, imgPath, img.NRGBA()); err != nil {
		return err
	}
	return encode(kept, labPath, rawIDs(lab))
}

// rawIDs gives the Cityscapes ids of train ids; void is 1, the ego vehicle.
func rawIDs(l *raster.Labels) *image.Gray {
	raw := [numClasses]uint8{7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}
	g := l.Gray()
	for i, id := range g.Pix {
		if id == raster.Void {
			g.Pix[i] = 1
		} else {
			g.Pix[i] = raw[id]
		}
	}
	return g
}

// encode writes a PNG, and makes its folder if need be. It does not wait for the
// disk: a picture that a power cut has left empty is rendered again.
func encode(kept *ledger, path string, img image.Image) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	var text bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&text, img); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	err := atomicfile.WriteUnsynced(path, func(w io.Writer) error {
		_, err := w.Write(text.Bytes())
		return err
	})
	if err != nil {
		return err
	}
	return kept.add(path, text.Bytes())
}
