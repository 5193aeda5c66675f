package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/png"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/browsertest"
	"t2sda/internal/ortweb"
	"t2sda/internal/raster"
)

// blocks is an image of four large blocks, of the classes 0 to 3.
func blocks(w, h int) *raster.Labels {
	l := raster.NewLabels(w, h)
	for i := range l.Pix {
		l.Pix[i] = uint8(2*(i/w*2/h) + i%w*2/w)
	}
	return l
}

// openPage serves the models and opens their page.
func openPage(t *testing.T, o Options) *browsertest.Page {
	t.Helper()
	s := start(t, o, nil)
	p := browsertest.OpenServed(t, s.url+"/")
	p.Until(`document.images.length == 4 && [...document.images].every(i => i.complete && i.naturalWidth > 0)`)
	return p
}

// drop drops a file on the page.
func drop(t *testing.T, p *browsertest.Page, name string, file []byte) {
	t.Helper()
	content, err := json.Marshal(base64.StdEncoding.EncodeToString(file))
	if err != nil {
		t.Fatal(err)
	}
	browsertest.Eval[bool](p, `(() => {
		const data = new DataTransfer(), bytes = Uint8Array.from(atob(`+string(content)+`), c => c.charCodeAt(0));
		data.items.add(new File([bytes], "`+name+`"));
		for (const kind of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
		return true;
	})()`)
}

// done is true when nothing is under way.
const done = `document.getElementById("busy").hidden && !document.getElementById("facts").hidden`

// textOf is what a reader sees in an element.
func textOf(p *browsertest.Page, selector string) string {
	return browsertest.Eval[string](p, `document.querySelector("`+selector+`").innerText.replace(/\s+/g, " ").trim()`)
}

// pixel is the colour and opacity of a canvas at a position.
func pixel(p *browsertest.Page, canvas string, x, y int) []int {
	at, _ := json.Marshal([]int{x, y})
	return browsertest.Eval[[]int](p, `(canvas => {
		const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
		copy.drawImage(canvas, 0, 0);
		return [...copy.getImageData(...`+string(at)+`, 1, 1).data];
	})(document.getElementById("`+canvas+`"))`)
}

// A person drops an image, sees its classes, points at them, fades them, singles one out,
// takes the label map away; by keyboard as well, on a desktop and on a phone.
func TestPage(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	p := openPage(t, Options{Model: foreign(t, e, exporttest.Foreign{FreeBatch: true, FreeShape: true})})
	labels := blocks(80, 40)
	drop(t, p, "four blocks.png", encoded(t, exporttest.Paint(labels, step)))
	p.Until(done)
	if facts := textOf(p, "#facts"); !strings.Contains(facts, "Image 80 × 40 px Ran in ONNX Runtime Model") {
		t.Errorf("facts: %s", facts)
	}
	if have, want := textOf(p, "#legend"), "road 25.0 % sidewalk 25.0 % building 25.0 % wall 25.0 % fence –"; have != want {
		t.Errorf("legend: %q, want %q", have, want)
	}
	colours := exporttest.FiveClasses().Classes
	for i, at := range [][2]int{{10, 10}, {60, 10}, {10, 30}, {60, 30}} {
		c := colours[i].Color
		if have := pixel(p, "over-main", at[0], at[1]); !slices.Equal(have, []int{int(c[0]), int(c[1]), int(c[2]), 255}) {
			t.Errorf("block %d has colour %v, want %v", i, have, c)
		}
	}

	// The cursor, at three quarters of the width and a quarter of the height.
	at := browsertest.Eval[[]float64](p, `(b => [b.x + b.width * 0.75, b.y + b.height * 0.25])(document.getElementById("cross").getBoundingClientRect())`)
	p.MoveMouse(at[0], at[1])
	// Of reds 40: logits 0, ½, 0, −1½, −4 of the classes; the softmax of the second is 42 %.
	p.Until(`!document.getElementById("tip").hidden`)
	if have := textOf(p, "#tip"); have != "sidewalk 42 %" {
		t.Errorf("under the cursor: %q", have)
	}
	browsertest.Eval[bool](p, `(document.getElementById("cross").focus(), true)`)
	for range 25 {
		p.Press(kb.ArrowLeft)
	}
	if have := textOf(p, "#tip"); !strings.HasPrefix(have, "road") {
		t.Errorf("25 steps to the left: %q", have)
	}

	browsertest.Eval[bool](p, `(document.getElementById("opacity").focus(), true)`)
	p.Press(kb.End)
	if have := browsertest.Eval[string](p, `getComputedStyle(document.getElementById("over-main")).opacity`); have != "1" || textOf(p, "#opacity-out") != "100 %" {
		t.Errorf("all the way to the right the opacity is %s", have)
	}

	browsertest.Eval[bool](p, `(document.querySelector("#legend button").click(), true)`)
	if road, wall := pixel(p, "over-main", 10, 10), pixel(p, "over-main", 60, 30); road[3] != 255 || wall[3] != 0 {
		t.Errorf("road alone: road %v, wall %v", road, wall)
	}
	checkDownload(t, p, labels)

	drop(t, p, "notes.txt", []byte("no image"))
	p.Until(`!document.getElementById("problem").hidden`)
	if have := textOf(p, "#problem"); !strings.Contains(have, "notes.txt cannot be shown the image cannot be decoded: it is no picture of a format that is read") {
		t.Errorf("of a text file: %q", have)
	}
	drop(t, p, "again.png", encoded(t, exporttest.Paint(labels, step)))
	drop(t, p, "notes.txt", []byte("no image")) // while the first is looked at, which goes on
	p.Until(`!document.getElementById("problem").hidden && ` + done)
	problems(t, p, "422")
}

// checkDownload takes the label map that the page gives.
func checkDownload(t *testing.T, p *browsertest.Page, want *raster.Labels) {
	t.Helper()
	got := browsertest.Await[[]string](p, `new Promise(resolve => {
		HTMLAnchorElement.prototype.click = async function () {
			const bytes = new Uint8Array(await (await fetch(this.href)).arrayBuffer());
			resolve([this.download, btoa(String.fromCharCode(...bytes))]);
		};
		document.getElementById("download").click();
	})`)
	file, err := base64.StdEncoding.DecodeString(got[1])
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(file))
	gray, ok := picture.(*image.Gray)
	if got[0] != "four blocks-labels.png" || !ok || !bytes.Equal(gray.Pix, want.Pix) {
		t.Errorf("the label map %s is another: %v", got[0], err)
	}
}

// problems fails for what no page may have. A browser logs what a server refuses, and
// where it has no graphics processor.
func problems(t *testing.T, p *browsertest.Page, refused string) {
	t.Helper()
	for _, problem := range p.Problems() {
		if !strings.Contains(problem, "No available adapters") && (refused == "" || !strings.Contains(problem, refused)) {
			t.Error(problem)
		}
	}
}

// Two models are seen side by side, with a divider that the keyboard moves too.
func TestPageCompares(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	second := exporttest.Foreign{FreeShape: true, BGR: true} // reads the blue, and sees fences
	p := openPage(t, Options{Model: foreign(t, e, exporttest.Foreign{FreeShape: true}), Compare: foreign(t, e, second)})
	drop(t, p, "blocks.png", encoded(t, exporttest.Paint(blocks(80, 40), step)))
	p.Until(done)
	if facts := textOf(p, "#facts"); !strings.Contains(facts, "Both models agree 0.0 %") {
		t.Errorf("facts: %s", facts)
	}
	under := func(x float64) string {
		at := browsertest.Eval[[]float64](p, `(b => [b.x + b.width * `+string(must(json.Marshal(x)))+`, b.y + b.height * 0.25])(document.getElementById("cross").getBoundingClientRect())`)
		p.MoveMouse(at[0], at[1])
		p.Until(`!document.getElementById("tip").hidden`)
		return textOf(p, "#tip b")
	}
	if left, right := under(0.2), under(0.8); left != "road" || right != "fence" {
		t.Errorf("left of the divider %s, right of it %s", left, right)
	}
	browsertest.Eval[bool](p, `(document.getElementById("divider").focus(), true)`)
	p.Press(kb.End)
	if right := under(0.8); right != "sidewalk" {
		t.Errorf("with the divider at the right end: %s", right)
	}
	browsertest.Eval[bool](p, `(document.querySelector("#views input[value=compare]").click(), true)`)
	if all := under(0.2); all != "fence" || !strings.HasPrefix(textOf(p, "#legend"), "fence 100.0 %") {
		t.Errorf("the second model alone: %s, legend %s", all, textOf(p, "#legend"))
	}
	problems(t, p, "")
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err) // of a number
	}
	return b
}

// The browser runs the model itself and sees what the server sees: an exported network on
// a photograph-like image that is resized, and models of others in all their forms.
func TestPageRunsModels(t *testing.T) {
	web, err := ortweb.Find("")
	if err != nil {
		t.Skipf("%v: t2sda runtime install --web", err)
	}
	e := enginetest.Open(t, engine.Options{})
	threshold := 0.5
	two := exporttest.FiveClasses()
	two.Classes = slices.Clone(two.Classes[:2])
	normalised := func() *predict.Predictor {
		return exporttest.Open(t, e, exporttest.Foreign{Classes: 5, Step: step, NHWC: true, BGR: true, LogitsLast: true, Scale: 1, Mean: 0.45, Std: 0.2}.File(t), predict.Options{
			Form: predict.Form{Space: exporttest.FiveClasses(), BGR: true, Scale: 1, Mean: []float64{0.45, 0.45, 0.45}, Std: []float64{0.2, 0.2, 0.2}},
		})
	}
	probabilities := exporttest.NanoOptions("segformer")
	probabilities.Outputs = []string{predict.OutputSoftmax}
	scores := exporttest.Foreign{Classes: 2, Step: 125, Single: true, Sigmoid: true}
	for name, o := range map[string]Options{
		"exported; normalised, channels last": {Model: exporttest.NanoPredictor(t), Compare: normalised()},
		"multiples of 8; label map":           {Model: foreign(t, e, exporttest.Foreign{Multiple: 8}), Compare: foreign(t, e, exporttest.Foreign{W: 60, H: 30, Labels: engine.Int64})},
		"probabilities":                       {Model: exporttest.Predictor(t, e, probabilities, exporttest.RandomWeights(t, probabilities.Arch))},
		"one channel":                         {Model: exporttest.Open(t, e, scores.File(t), predict.Options{Form: predict.Form{Space: two, Threshold: &threshold}})},
	} {
		t.Run(name, func(t *testing.T) {
			o.Web = web
			p := openPage(t, o)
			drop(t, p, "checker.png", encoded(t, exporttest.Paint(checker(83, 41), step)))
			p.Until(done)
			here := tipOf(p)
			browsertest.Eval[bool](p, `(document.getElementById("tab-server").focus(), true)`)
			p.Press(kb.ArrowRight)
			p.Until(done + ` || !document.getElementById("problem").hidden`)
			there := tipOf(p)
			class, percent := splitTip(t, here)
			if again, other := splitTip(t, there); again != class || math.Abs(other-percent) > 1 {
				t.Errorf("under the cursor the server sees %s, the browser %s", here, there)
			}
			for _, view := range []string{"main", "compare"} {
				if view == "compare" && o.Compare == nil {
					continue
				}
				browsertest.Eval[bool](p, `(document.querySelector("#views input[value=`+view+`]").click(), true)`)
				same := browsertest.Eval[float64](p, `parseFloat([...document.querySelectorAll("#facts dt")].find(d => d.innerText == "Same as the server")?.nextSibling.innerText ?? "0")`)
				if facts := textOf(p, "#facts"); !strings.Contains(facts, "Ran in Web") || same < 99.9 {
					t.Errorf("%s: facts: %s; %s", view, facts, textOf(p, "#problem"))
				}
			}
			drop(t, p, "notes.txt", []byte("no image")) // which goes nowhere
			p.Until(`!document.getElementById("problem").hidden`)
			if have := textOf(p, "#problem"); !strings.HasSuffix(have, "The server may, in its tab.") {
				t.Errorf("of a text file, in the browser: %q", have)
			}
			problems(t, p, "")
		})
	}
}

// tipOf is what the page says of a third of the image's width and height.
func tipOf(p *browsertest.Page) string {
	at := browsertest.Eval[[]float64](p, `(b => [b.x + b.width / 3, b.y + b.height / 3])(document.getElementById("cross").getBoundingClientRect())`)
	p.MoveMouse(at[0]+20, at[1])
	p.MoveMouse(at[0], at[1])
	p.Until(`!document.getElementById("tip").hidden`)
	return textOf(p, "#tip")
}

// splitTip returns a tip's class and how sure the model is, in percent; 100 where it does not say.
func splitTip(t *testing.T, tip string) (class string, percent float64) {
	t.Helper()
	class, number, has := strings.Cut(strings.TrimSuffix(tip, " %"), " ")
	if !has {
		return class, 100
	}
	percent, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Errorf("under the cursor: %q", tip)
	}
	return class, percent
}

// Without ONNX Runtime for browsers the second tab says how to get it.
func TestPageWithoutRuntime(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	p := openPage(t, Options{Model: foreign(t, e, exporttest.Foreign{}), WebMissing: "it is not here: run t2sda runtime install --web, and start the server again"})
	browsertest.Eval[bool](p, `(document.getElementById("tab-browser").click(), true)`)
	if note := textOf(p, "#note"); !strings.Contains(note, "t2sda runtime install --web") {
		t.Errorf("note: %s", note)
	}
	problems(t, p, "")
}

// A page whose server wants a token asks for it, once.
func TestPageAsksForToken(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	s := start(t, Options{Model: foreign(t, e, exporttest.Foreign{}), Token: "sesame"}, nil)
	p := browsertest.OpenServed(t, s.url+"/")
	p.Until(`!document.getElementById("token").hidden`)
	drop(t, p, "early.png", encoded(t, exporttest.Paint(blocks(80, 40), step)))
	p.Until(`!document.getElementById("controls").hidden && document.getElementById("busy").hidden`)
	if have := browsertest.Eval[bool](p, `document.getElementById("problem").hidden`); !have {
		t.Errorf("an image before the token: %s", textOf(p, "#problem"))
	}
	browsertest.Eval[bool](p, `(document.getElementById("token-text").value = "sesame", document.querySelector("#token button").click(), true)`)
	p.Until(done)
	p.Until(`document.images.length == 4 && [...document.images].every(i => i.complete && i.naturalWidth > 0)`)
	browsertest.Eval[bool](p, `(document.querySelector("#sample-list button").click(), true)`)
	p.Until(done)
	problems(t, p, "401")
}
