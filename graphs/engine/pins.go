package engine

import "t2sda/internal/packages"

// The digests below were taken from the packages themselves when the version was
// pinned. An archive is checked before it is opened, a library before it gets its
// name in the cache, so that a change upstream or on the way is an error, never
// code that runs.

// source is one way to the library on one platform.
type source struct {
	archive packages.Archive
	tag     string // pip's platform tag; empty for npm
	members []packages.Member
}

// pythonTag is the interpreter whose wheels are pinned. The library inside does
// not depend on it, so any Python's pip may fetch them.
const pythonTag = "3.12"

// pins maps a client and a platform, "npm linux/amd64" or "pip-cuda linux/amd64",
// to its source.
func pins() map[string]source {
	npm := packages.Archive{
		Name: "onnxruntime-node", Version: Version,
		SHA512: "404cc6c2bbcd060bf8b8f55d9db1ec3861b81ba4fdea676570523c68028f8cc5" +
			"3cc0e3e956870f5dbea4dd01a46996a0553bf61bd0679dba3a67725d5ebd5f43",
	}
	const soName, dylibName = "libonnxruntime.so.1", "libonnxruntime.1.dylib"
	const capi, soFile = "onnxruntime/capi/", "libonnxruntime.so." + Version
	const provider = "libonnxruntime_providers_"
	return map[string]source{
		"npm linux/amd64": {archive: npm, members: []packages.Member{
			{Path: "package/bin/napi-v6/linux/x64/" + soName, As: soName, SHA256: "d8aff4aa8abee8fb2abb2f2f2459ffc94461e781e41b9f7c072829dd0d470221"},
		}},
		"npm linux/arm64": {archive: npm, members: []packages.Member{
			{Path: "package/bin/napi-v6/linux/arm64/" + soName, As: soName, SHA256: "c36bc200e7e6c093b8abb0b34590fbdd8c52fd3fb5e33795b9523ffdde2fce0f"},
		}},
		"npm darwin/arm64": {archive: npm, members: []packages.Member{
			{Path: "package/bin/napi-v6/darwin/arm64/" + dylibName, As: dylibName, SHA256: "89f692a3a1a224e4ad0b796b0e7c0bd81113b0741bfe84211eceef14d05a9e59"},
		}},
		"pip linux/amd64": {
			archive: packages.Archive{Name: "onnxruntime", Version: Version, SHA256: "7c65a7438632d55dfbc8a02ee60bd6cf7dd9d1ba05a43d4b851452f32338e194"},
			tag:     "manylinux_2_28_x86_64",
			members: []packages.Member{{Path: capi + soFile, As: soName, SHA256: "b5c9d4f124d24707f514dad926dc181820807178855df1c528e3addb2dd0e6f7"}},
		},
		"pip linux/arm64": {
			archive: packages.Archive{Name: "onnxruntime", Version: Version, SHA256: "c6fddce0539a4898c7bef35b052ffd37935b2190e35488eab99ce91887743ea1"},
			tag:     "manylinux_2_28_aarch64",
			members: []packages.Member{{Path: capi + soFile, As: soName, SHA256: "9275ef52956228686ae47b0219f67476a1148505084bdc5571e7bf1bf69b11f2"}},
		},
		"pip darwin/arm64": {
			archive: packages.Archive{Name: "onnxruntime", Version: Version, SHA256: "a14c2ce45312def86b77aea651f46565e45960cf5f0721bfdff449165086ab76"},
			tag:     "macosx_14_0_arm64",
			members: []packages.Member{{Path: capi + "libonnxruntime." + Version + ".dylib", As: dylibName, SHA256: "49422a138fff12d7fcbd544373aefbffd510e473e08e18af28a8ecc3581029bf"}},
		},
		"pip-cuda linux/amd64": {
			archive: packages.Archive{Name: "onnxruntime-gpu", Version: Version, SHA256: "b2b8d6afabf3c23c2c698639a16388816dc7298f388a9ddddf504b283990ea01"},
			tag:     "manylinux_2_28_x86_64",
			members: []packages.Member{
				{Path: capi + soFile, As: soName, SHA256: "184096f611d6cfff75f5d4cbaf01f76d736ab10d408d335fca0c85e5a79018db"},
				{Path: capi + provider + "shared.so", As: provider + "shared.so", SHA256: "086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d"},
				{Path: capi + provider + "cuda.so", As: provider + "cuda.so", SHA256: "9aacf1788ceae09ca362cbf9bb3c1d69c94cec86e24310de7ad14e6b05b5bb5d"},
			},
		},
	}
}
