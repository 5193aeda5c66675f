package export

import (
	"bytes"
	"slices"

	"t2sda/internal/protofield"
	"t2sda/internal/sha256sum"
)

// digestKey is the metadata entry that ends a model: the SHA-256 of all before.
const digestKey = "t2sda_digest"

// sealed appends its digest to a serialised model.
func sealed(model []byte) []byte {
	const modelMetadata, entryKey, entryValue = 14, 1, 2
	entry := protofield.AppendBytes(nil, entryKey, []byte(digestKey))
	entry = protofield.AppendBytes(entry, entryValue, []byte(sha256sum.Of(model)))
	return protofield.AppendBytes(model, modelMetadata, entry)
}

// Seal appends the digest to a model that was made of an unsealed one of [Build], see [Unsealed].
func Seal(model []byte) []byte { return sealed(slices.Clip(model)) }

// Unsealed returns a model without the digest at its end, for passes that change it; one that is
// not [Intact] as it is.
func Unsealed(model []byte) []byte {
	if !Intact(model) {
		return model
	}
	return slices.Clip(model[:len(model)-len(sealed(nil))])
}

// Intact reports whether a model's file is, to the last byte, one that [Build]
// made. Other programs' models are not, nor those of before the digest.
func Intact(model []byte) bool {
	before := len(model) - len(sealed(nil))
	return before >= 0 && string(sealed(model[:before:before])) == string(model)
}

// Sealed reports whether a model's file bears the digest that [Build] ends models with,
// be it the right one or not: one that is not [Intact] has changed since.
func Sealed(model []byte) bool {
	end := model[max(0, len(model)-2*len(sealed(nil))):] // something may have been appended
	return bytes.Contains(end, []byte(digestKey))
}
