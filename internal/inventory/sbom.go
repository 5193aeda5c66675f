package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"t2sda/graphs/engine"
)

// The parts of CycloneDX 1.6 (ECMA-424) that are written.
type (
	bom struct {
		Schema       string       `json:"$schema"`
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		Serial       string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp"`
		Tools     tools     `json:"tools"`
		Component component `json:"component"`
	}
	tools struct {
		Components []component `json:"components"`
	}
	component struct {
		Type     string          `json:"type"`
		Ref      string          `json:"bom-ref,omitempty"`
		Name     string          `json:"name"`
		Version  string          `json:"version,omitempty"`
		About    string          `json:"description,omitempty"`
		Scope    string          `json:"scope,omitempty"`
		Hashes   []digest        `json:"hashes,omitempty"`
		Licenses []licenseChoice `json:"licenses,omitempty"`
		Purl     string          `json:"purl,omitempty"`
	}
	digest struct {
		Alg     string `json:"alg"`
		Content string `json:"content"`
	}
	licenseChoice struct {
		License struct {
			ID   string `json:"id,omitempty"`
			Name string `json:"name,omitempty"` // of one that SPDX has no id for
		} `json:"license"`
	}
	dependency struct {
		Ref  string   `json:"ref"`
		Need []string `json:"dependsOn,omitempty"`
	}
)

// unlisted are the ids of ours that are none of SPDX's list as CycloneDX 1.6 has it.
var unlisted = []string{"SunPro"}

// billOf writes the bill of materials of the program at a version.
func billOf(modules []*module, version string, now time.Time) ([]byte, error) {
	self := component{Type: "application", Ref: "t2sda", Name: "t2sda", Version: version, Licenses: licensed("Apache-2.0")}
	b := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: metadata{
			Timestamp: now.UTC().Format(time.RFC3339), Component: self,
			Tools: tools{[]component{{Type: "application", Name: "t2sda/internal/inventory", Version: version}}},
		},
	}
	own := dependency{Ref: self.Ref}
	for _, m := range modules {
		c, err := m.component()
		if err != nil {
			return nil, err
		}
		b.Components = append(b.Components, c)
		if m.direct {
			own.Need = append(own.Need, c.Ref)
		}
	}
	b.Dependencies = []dependency{own}
	for i, m := range modules {
		d := dependency{Ref: b.Components[i].Ref}
		for _, path := range slices.Sorted(maps.Keys(m.needs)) {
			at := slices.IndexFunc(modules, func(o *module) bool { return o.Path == path })
			d.Need = append(d.Need, b.Components[at].Ref)
		}
		b.Dependencies = append(b.Dependencies, d)
	}
	b.Components = append(b.Components, fetched(), pretrained(version))
	content, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	b.Serial = serial(content)
	text, err := json.MarshalIndent(b, "", "  ")
	return append(text, '\n'), err
}

// component describes a module.
func (m *module) component() (component, error) {
	purl := "pkg:golang/" + m.Path + "@" + url.QueryEscape(m.Version)
	c := component{Type: "library", Name: m.Path, Version: m.Version, Scope: "required", Licenses: licensed(m.ids()...)}
	if m.Path == stdlib {
		c.Version = strings.TrimPrefix(runtime.Version(), "go")
		purl = "pkg:golang/std@" + c.Version
	}
	c.Ref, c.Purl = purl, purl
	if m.Sum == "" {
		return c, nil
	}
	// go.sum's h1 is a SHA-256, of the list of the files' ones.
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
	if err != nil {
		return c, fmt.Errorf("%s: sum %s: %w", m.Path, m.Sum, err)
	}
	c.Hashes = []digest{{"SHA-256", hex.EncodeToString(sum)}}
	return c, nil
}

// fetched is the library that the program loads and does not bring.
func fetched() component {
	return component{
		Type: "library", Ref: "onnxruntime", Name: "onnxruntime", Version: engine.Version, Scope: "optional", Licenses: licensed("MIT"),
		About: "not in the program: t2sda runtime install fetches it; digests of the archives: graphs/engine/pins.go", Purl: "pkg:npm/onnxruntime-node@" + engine.Version,
	}
}

// pretrained is the encoder that the program brings.
func pretrained(version string) component {
	return component{
		Type: "machine-learning-model", Ref: "mit_nano", Name: "mit_nano", Version: version, Scope: "required", Licenses: licensed("Apache-2.0"),
		About: "weights of the small encoder, trained by this program on pictures that it rendered",
	}
}

func licensed(ids ...string) []licenseChoice {
	all := make([]licenseChoice, len(ids))
	for i, id := range ids {
		if slices.Contains(unlisted, id) {
			all[i].License.Name = id
			continue
		}
		all[i].License.ID = id
	}
	return all
}

// serial is a UUID (RFC 9562, version 8) of the content.
func serial(content []byte) string {
	sum := sha256.Sum256(content)
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
