// Package weights reads and writes named float32 tensors, and knows the names that
// public checkpoints give to those of our networks.
//
// [Open] takes safetensors, one file or several with an index, PyTorch's files,
// new and old, and the initialisers of ONNX models. Whatever the form, a tensor is
// a view of a storage by offset and strides (stored.go), checked against the file's
// size when the file is opened and read when it is asked for.
// [Find] says which tensors of a file are those of a network: it chooses the part
// of a checkpoint that holds the model (parts.go) and the convention of names
// (names.go; a network's tables are names_*.go). [Rename] goes the other way.
//
// The header of safetensors files is nlpodyssey/safetensors' work, in both
// directions. Its Deserialize wants the whole file in one buffer, so reading goes
// through its Metadata type and an io.ReaderAt instead. Writing streams, tensor by
// tensor, through its SerializeToWriter into a temporary file that replaces the old
// one when all is on disk.
package weights
