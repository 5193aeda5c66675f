package datasets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"t2sda/internal/catalog"
)

// Options selects one split of a data set.
type Options struct {
	Layout string // one of [Layouts]; empty: generic
	Root   string // folder of the data set, or of its shards; or a pattern of shards; on disk or in a bucket (s3://…)
	Split  string // train, val, …; empty: the layout has no splits, or all of them together

	// Images and Labels replace the layout's folders: relative to Root or
	// absolute, {split} stands for Split. Empty: the layout's.
	Images, Labels string

	// ImageSuffix and LabelSuffix replace the layout's: how names end, before their
	// extension ("_rgb_anon") or with it ("_rgb_anon.png"); what comes before
	// pairs images and labels. A pattern ("_foggy_beta_*") lets several images
	// share a label. Empty: the layout's.
	ImageSuffix, LabelSuffix string

	// Map is the label map: a built-in name (see [Maps]) or a YAML file. Empty:
	// the layout's own. The generic layout has none; without a map its labels
	// are not read and the data set counts as unlabelled.
	Map string

	// Channel of colour label files that holds the id: red, green or blue; color:
	// none, the label map's colours say what the pixels are, those of palettes, too.
	// Empty: the layout's; most have none, palettes' indices are then ids, and colour
	// files are read by their colours.
	Channel string

	// List names a text file with one image a line: its ID, its path below the
	// image folder, below Root or whole, or its file name where only one image has
	// it; the extension is optional. Only these are used. A second column names
	// the image's label. # at the beginning or after a blank starts a comment,
	// unless the line is a file's name as it stands. Empty: all.
	List string

	// Include and Exclude are glob patterns (path.Match) on a file's name, with or
	// without extension and suffix; those with slashes on as many elements of its
	// path below the image folder ("fog/*"). Exclude applies to labels as well.
	// No Include: all.
	Include, Exclude []string

	Width, Height int  // size in pixels that images and labels are brought to; 0×0: as they are
	RequireLabels bool // every image needs a label, and every label an image

	// KeepGoing leaves out, instead of failing, links and folders that cannot be
	// used, the second of two files of one name and labels without image.
	// [Dataset.LeftOut] lists them.
	// [Dataset.Stats] leaves out labels that cannot be read, see [Stats.Faults].
	KeepGoing bool

	// CacheBytes bounds the memory for decoded, resized images (3 bytes a pixel)
	// and labels (1 byte a pixel). What fits when it is first read stays, the
	// rest is decoded every time: with draws at random nothing is gained by
	// eviction. Files that change on disk during a run go unnoticed. 0: no cache.
	CacheBytes int64

	// Disk keeps decoded, resized images and labels in a folder; nil: nowhere.
	// What CacheBytes keeps in memory is looked for there first.
	Disk *DiskCache

	// FetchedBytes bounds what the user's cache keeps of buckets, by all data sets
	// together. 0: [DefaultFetchedBytes].
	FetchedBytes int64

	tree *catalog.Tree // of a root that is no folder of files, once it was looked at; see [Options.located]
}

// Item names the files of one image.
type Item struct {
	ID    string // path below the image folder without extension and the layout's suffix, e.g. "aachen/aachen_000000_000019"
	Image string // path of the image file
	Label string // path of the label file; empty: none
	Rel   string // the image file's path below the image folder, slash-separated
}

// Dataset is an ordered set of images, with or without labels. It is safe for
// concurrent use.
type Dataset struct {
	opts    Options
	layout  layout
	items   []Item
	labels  *LabelMap // nil: none
	channel int       // of colour label files; -1: none
	cache   *cache
	mapping string   // what the disk cache tells label maps apart by
	leftOut problems // by Open, with Options.KeepGoing
	passed  []string // see PassedOver
}

// Open finds the images of a split and pairs them with their labels, in lexical
// order of their IDs. No label folder is needed unless RequireLabels asks for
// it. Errors name the folder, file or option at fault; image files are not
// opened here.
func Open(o Options) (*Dataset, error) { return OpenContext(context.Background(), o) }

// OpenContext is [Open] that ends with ctx: shards are read through once.
func OpenContext(ctx context.Context, o Options) (*Dataset, error) {
	d, err := newDataset(o)
	if err != nil {
		return nil, err
	}
	problem := strict
	if o.KeepGoing {
		problem = d.leftOut.add
	}
	f, err := d.search(ctx, problem)
	if err != nil {
		return nil, err
	}
	if o.KeepGoing {
		for _, label := range f.orphans(d.layout) {
			_ = d.leftOut.add(fmt.Errorf("datasets: label %s has no image of the same name", label)) // ends no search
		}
	}
	if o.RequireLabels {
		if err := d.insist(f); err != nil {
			return nil, err
		}
	}
	d.mapping, d.passed = d.fingerprint(), f.passed
	return d, nil
}

// newDataset checks the options; no files are looked for.
func newDataset(o Options) (*Dataset, error) {
	l, err := findLayout(o.Layout)
	if err != nil {
		return nil, err
	}
	o.Layout = l.Name
	if o.Channel == "" {
		o.Channel = l.Channel
	}
	d := &Dataset{opts: o, layout: l, channel: channelIndex(o.Channel), cache: newCache(o.CacheBytes)}
	return d, d.checkOptions()
}

func (d *Dataset) checkOptions() error {
	o := d.opts
	switch {
	case o.Root == "":
		return errors.New("datasets: root is empty: where does the data set lie?")
	case (o.Width == 0) != (o.Height == 0) || o.Width < 0 || o.Height < 0:
		return fmt.Errorf("datasets: %s: size %d×%d: give both width and height, or 0×0 to keep the files' size", o.Root, o.Width, o.Height)
	case d.channel == badChannel:
		return fmt.Errorf("datasets: %s: channel %q is none of red, green, blue, color", o.Root, o.Channel)
	case o.Split != "" && !strings.Contains(strings.Join(append(d.layout.Images, o.Images, o.Root), " "), "{split}"):
		return fmt.Errorf("datasets: %s: layout %s has no splits, but split %q is asked for (list: names a file of images instead)", o.Root, o.Layout, o.Split)
	}
	if err := errors.Join(suffix(o.ImageSuffix).validate("image suffix"), suffix(o.LabelSuffix).validate("label suffix")); err != nil {
		return fmt.Errorf("datasets: %s: %w", o.Root, err)
	}
	if !NamesShards(o.Root) {
		if info, err := os.Stat(o.Root); err != nil {
			return fmt.Errorf("datasets: root: %w", err)
		} else if !info.IsDir() {
			return fmt.Errorf("datasets: root %s is not a folder", o.Root)
		}
	}
	for _, p := range append(append([]string(nil), o.Include...), o.Exclude...) {
		if _, err := path.Match(p, "x"); err != nil {
			return fmt.Errorf("datasets: %s: pattern %q: %w", o.Root, p, err)
		}
	}
	return nil
}

// Len returns the number of images.
func (d *Dataset) Len() int { return len(d.items) }

// Item returns the names of image i.
func (d *Dataset) Item(i int) Item { return d.items[i] }

// Size returns the size that images are brought to, 0×0 for their files' own.
func (d *Dataset) Size() (w, h int) { return d.opts.Width, d.opts.Height }

// Root returns the folder that the data set was opened in.
func (d *Dataset) Root() string { return d.opts.Root }

// Place names the data set for people: layout, root and split.
func (d *Dataset) Place() string { return d.opts.Place() }

// Place names a data set for people: layout, root and split.
func (o Options) Place() string {
	text := o.Layout + " " + o.Root
	if o.Split != "" {
		text += ", split " + o.Split
	}
	return text
}

// Layout returns the name of the folder layout.
func (d *Dataset) Layout() string { return d.layout.Name }

// AtSize returns the same images and labels brought to w × h pixels (0×0: as they
// are), with a cache of its own. No files are looked for.
func (d *Dataset) AtSize(w, h int) *Dataset {
	out := *d
	out.opts.Width, out.opts.Height, out.cache = w, h, newCache(d.opts.CacheBytes)
	return &out
}

// Items returns the names of all images.
func (d *Dataset) Items() []Item { return slices.Clone(d.items) }

// With returns a data set of the same options with exactly these images, which
// [Dataset.Items] has returned earlier, whether or not their files are there.
func (d *Dataset) With(items []Item) *Dataset {
	out := *d
	out.items, out.cache = slices.Clone(items), newCache(d.opts.CacheBytes)
	return &out
}

// LeftOut returns what [Options.KeepGoing] left out when the files were looked
// for; each error names its file.
func (d *Dataset) LeftOut() []error { return d.leftOut.errs }

// PassedOver returns the files in the data set's folders that are neither image
// nor label by their names: of formats that are not read, or of other suffixes.
// Files that belong to an image, as colour pictures beside its label, and those
// that Options.Exclude names are not among them.
func (d *Dataset) PassedOver() []string { return d.passed }

// firstUnlabelled returns the first image without label, -1 when all have one.
func (d *Dataset) firstUnlabelled() int {
	for i, it := range d.items {
		if it.Label == "" {
			return i
		}
	}
	return -1
}

// Space returns the classes of the label map; without a map it has none.
func (d *Dataset) Space() Space {
	if d.labels == nil {
		return Space{}
	}
	return d.labels.space
}

// Map returns the label map, nil when there is none.
func (d *Dataset) Map() *LabelMap { return d.labels }
