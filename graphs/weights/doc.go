// Package weights reads and writes named float32 tensors as safetensors files, and knows the names that public checkpoints of the Mix Transformer use.
//
// The header is nlpodyssey/safetensors' work, in both directions. Its Deserialize wants the whole file in one buffer, so reading goes through its Metadata type and an io.ReaderAt instead: one
// tensor at a time, checked against the file's size first. Writing streams, tensor by tensor, through its SerializeToWriter into a temporary file that replaces the old one when all is on disk.
package weights
