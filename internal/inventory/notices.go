package main

import (
	"bytes"
	"fmt"
	"strings"
)

// rule separates the modules.
const rule = "--------------------------------------------------------------------------------"

// head says what is no module.
const head = `What of others is in t2sda, and under which licence

Written by "task notices" from the modules that the program is built from, on Linux,
macOS and Windows together; do not edit. t2sda itself is under the Apache License 2.0
(LICENSE), and with it what comes along in this repository:

  - graphs/weights/pretrained/mit_nano.safetensors: weights that this program trained on
    pictures that it rendered (configs/presets/streets-pretrain.yaml); no data of others.
  - datasets/data: names, ids and colours of the classes of public data sets; no pictures
    and no labels of theirs.
  - graphs/engine/ortapi.h: declarations of functions of ONNX Runtime's C API in our own
    words (interface of Microsoft Corporation, MIT License; see onnxruntime_go below,
    which brings the original header).
  - testdata folders: pictures and tensors made for the tests, by the programs that their
    README.md or golden.py names; nothing of them is in the program.

Not part of the program: ONNX Runtime (MIT License, Microsoft Corporation) and, with
--device cuda, its CUDA provider, which "t2sda runtime install" fetches from npm or PyPI
into the user's cache on request, and which bring their own notices.
The charts are drawn by gonum/plot, which brings github.com/golang/freetype
(used under the FreeType License: portions of this software are copyright © 2006 The
FreeType Project, www.freetype.org; all rights reserved) and, for a format that is not
used here, github.com/ajstarks/svgo (by Anthony Starks, CC BY 4.0, unchanged).

`

// noticesOf writes the whole file.
func noticesOf(modules []*module) []byte {
	b := bytes.NewBufferString(head)
	for _, m := range modules {
		fmt.Fprintf(b, "  %s: %s\n", m.heading(), strings.Join(m.ids(), ", "))
	}
	for _, m := range modules {
		for _, l := range m.licences {
			title := fmt.Sprintf("%s (%s)", m.heading(), strings.TrimPrefix(l.name, "../"))
			b.WriteString(strings.Join([]string{"", rule, title, rule, "", l.text, ""}, "\n"))
		}
	}
	return b.Bytes()
}

// heading names a module; Go's own library without a version, which is that of
// whichever compiler is used.
func (m *module) heading() string {
	if m.Path == stdlib {
		return "Go's standard library"
	}
	return m.Path + " " + m.Version
}
