package weights

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"t2sda/graphs/weights/pickle"
)

// PyTorch's files: a pickle that describes Python objects, and the storages that
// their tensors are views of.

// maxPickle is the largest pickle of a ZIP archive, bytes. That of a checkpoint
// with three copies of the largest network and AdamW's moments takes about one
// million.
const maxPickle = 64 << 20

// readTorchArchive reads what torch.save writes since version 1.6: a ZIP archive of
// NAME/data.pkl and NAME/data/KEY, a file per storage, none of them compressed.
func (f *File) readTorchArchive(r io.ReaderAt) error {
	z, err := zip.NewReader(r, f.size)
	if err != nil {
		return fmt.Errorf("damaged, or cut off: %w", err)
	}
	members := map[string]*zip.File{}
	root := ""
	for _, m := range z.File {
		if path.Base(m.Name) == "data.pkl" && strings.Count(m.Name, "/") == 1 {
			root = path.Dir(m.Name) + "/"
		}
		members[m.Name] = m
	}
	if root == "" {
		return errors.New("no PyTorch file, it holds no data.pkl")
	}
	if err := littleEndian(members[root+"byteorder"]); err != nil {
		return err
	}
	tree, err := unpickle(r, members[root+"data.pkl"])
	if err != nil {
		return err
	}
	f.form = "PyTorch, ZIP archive"
	w := newTorchWalk(int64(members[root+"data.pkl"].UncompressedSize64), func(key string) (io.ReaderAt, int64, error) {
		return member(r, members[root+"data/"+key], f.size)
	})
	return f.takeTorch(w, tree)
}

// takeTorch takes all tensors of a tree of Python objects.
func (f *File) takeTorch(w *torchWalk, tree any) error {
	if err := w.walk("", tree, 0); err != nil {
		return err
	}
	f.tensors, f.beside = w.tensors, sortedKeys(w.beside)
	return w.disjoint()
}

// unpickle reads data.pkl.
func unpickle(r io.ReaderAt, m *zip.File) (any, error) {
	if m.UncompressedSize64 > maxPickle {
		return nil, fmt.Errorf("its data.pkl would take %d bytes, the limit is %d", m.UncompressedSize64, maxPickle)
	}
	s, size, err := member(r, m, maxPickle)
	if err != nil {
		return nil, err
	}
	d := pickle.NewDecoder(io.NewSectionReader(s, 0, size), size)
	d.Refuse = refuse
	tree, err := d.Decode()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	return tree, nil
}

// member returns where a member of the archive lies in it. Those that are
// compressed are refused: PyTorch writes none, and a few bytes of one may stand for
// any number.
func member(r io.ReaderAt, m *zip.File, limit int64) (io.ReaderAt, int64, error) {
	if m == nil {
		return nil, 0, errors.New("is not in the archive")
	}
	if m.Method != zip.Store || m.UncompressedSize64 != m.CompressedSize64 {
		return nil, 0, fmt.Errorf("%s is compressed, which torch.save never does: load and save it again", m.Name)
	}
	at, err := m.DataOffset()
	if err != nil {
		return nil, 0, fmt.Errorf("%s: damaged: %w", m.Name, err)
	}
	if m.UncompressedSize64 > uint64(limit) {
		return nil, 0, fmt.Errorf("%s would take %d bytes, more than the file has", m.Name, m.UncompressedSize64)
	}
	return &extent{io.NewSectionReader(r, at, int64(m.UncompressedSize64)), at}, int64(m.UncompressedSize64), nil
}

// extent is a part of a file that knows where it lies.
type extent struct {
	*io.SectionReader
	at int64
}

// littleEndian refuses archives of machines that are not; without a note they are.
func littleEndian(m *zip.File) error {
	if m == nil || m.UncompressedSize64 > 16 || m.Method != zip.Store {
		return nil
	}
	r, err := m.Open()
	if err != nil {
		return err
	}
	order, err := io.ReadAll(io.LimitReader(r, 16))
	if err == nil && strings.TrimSpace(string(order)) == "big" {
		err = errBigEndian
	}
	return errors.Join(err, r.Close())
}

var errBigEndian = errors.New("written by a big-endian machine: load and save it on a common one")

// torchMagic begins the files of torch.save before version 1.6.
var torchMagic = pickle.Long{0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19}

// readTorchPickle reads what torch.save wrote before version 1.6: pickles of a
// magic number, the protocol, the machine, the objects and the storages' keys, and
// the storages, each behind its number of elements.
func (f *File) readTorchPickle(r io.ReaderAt) error {
	d := pickle.NewDecoder(io.NewSectionReader(r, 0, f.size), f.size)
	d.Refuse = refuse
	var head [3]any
	for i := range head {
		var err error
		if head[i], err = d.Decode(); err != nil {
			return err
		}
		magic, ok := head[0].(pickle.Long)
		if !ok || !slices.Equal(magic, torchMagic) {
			return errors.New("or rather a pickle of something else, not by torch.save: want the file that torch.save(model.state_dict(), …) writes")
		}
	}
	if machine, ok := head[2].(*pickle.Dict); ok && machine.Get("little_endian") == any(false) {
		return errBigEndian
	}
	tree, err := d.Decode()
	if err != nil {
		return err
	}
	keys, err := d.Decode()
	if err != nil {
		return err
	}
	f.form = "PyTorch, pickle"
	places, err := legacyStorages(r, d.Offset(), f.size, keys, d.Persistents)
	if err != nil {
		return err
	}
	w := newTorchWalk(d.Offset(), func(key string) (io.ReaderAt, int64, error) {
		p, ok := places[key]
		if !ok {
			return nil, 0, errors.New("is not in the file")
		}
		return p, p.Size(), nil
	})
	return f.takeTorch(w, tree)
}

// legacyStorages says where each storage lies: one after the other, in the order of
// the keys, each behind its number of elements. What an element takes is known from
// the tensors.
func legacyStorages(r io.ReaderAt, at, size int64, keys any, ids []any) (map[string]*extent, error) {
	list, ok := keys.(*pickle.List)
	if !ok {
		return nil, errors.New("malformed: no list of storages follows the objects")
	}
	types := map[string]DType{}
	for _, id := range ids {
		if s, err := parseStorage(id); err == nil {
			types[s.key] = s.kind
		}
	}
	places := map[string]*extent{}
	for _, k := range list.Items {
		key, _ := k.(string)
		f, ok := formats[types[key]]
		if !ok || places[key] != nil {
			return nil, fmt.Errorf("malformed: storage %q is listed and not used once", key)
		}
		var head [8]byte
		if _, err := r.ReadAt(head[:], at); err != nil {
			return nil, fmt.Errorf("truncated: storage %q begins at byte %d of %d", key, at, size)
		}
		at += int64(len(head))
		n := binary.LittleEndian.Uint64(head[:])
		if n > uint64((size-at)/f.size) {
			return nil, fmt.Errorf("truncated: storage %q would take %d elements of %d bytes, %d bytes are left", key, n, f.size, size-at)
		}
		places[key] = &extent{io.NewSectionReader(r, at, int64(n)*f.size), at}
		at += int64(n) * f.size
	}
	return places, nil
}
