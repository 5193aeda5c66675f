package bench

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/median"
)

// PeerEnv is the environment variable that names a Python with torch (and transformers,
// for MiT), which the student's supervised term is then compared with.
const PeerEnv = "T2SDA_PEER_PYTHON"

//go:embed peer.py
var peerScript string

// peer is PyTorch in a process of its own.
type peer struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Scanner
	stderr bytes.Buffer
	what   struct {
		Torch      string   `json:"torch"`
		Device     string   `json:"device"`
		Precisions []string `json:"precisions"`
	}
}

// startPeer starts the configuration's network on a device, as [engine.Info] names it.
func startPeer(ctx context.Context, python string, cfg configs.Config, device string) (*peer, error) {
	m := cfg.Model
	spec, err := json.Marshal(map[string]any{
		"encoder": m.Encoder, "head": m.Head, "head_width": m.HeadWidth, "drop_path": m.DropPath, "dropout": m.Dropout, "dilations": m.Dilations,
		"classes": len(datasets.Cityscapes19().Classes), "batch": cfg.Train.Batch, "height": cfg.Data.Crop.Height, "width": cfg.Data.Crop.Width,
		"device": device, "threads": cfg.Runtime.Threads,
	})
	if err != nil {
		return nil, err
	}
	p := &peer{cmd: exec.CommandContext(ctx, python, "-c", peerScript, string(spec))}
	p.cmd.Stderr = &p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s=%s: %w", PeerEnv, python, err)
	}
	if err := p.answer(&p.what); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// answer reads the next line.
func (p *peer) answer(to any) error {
	if !p.stdout.Scan() {
		_ = p.cmd.Wait() // what it said last tells more
		return fmt.Errorf("the Python that %s names ended: %s", PeerEnv, lastLine(p.stderr.Bytes(), "it said nothing"))
	}
	if err := json.Unmarshal(p.stdout.Bytes(), to); err != nil {
		return fmt.Errorf("the Python that %s names said %q: %w", PeerEnv, p.stdout.Text(), err)
	}
	return nil
}

// term is one round of the peer's.
type term struct {
	Seconds float64 `json:"seconds"`
	Peak    float64 `json:"peak_mib"`
}

func (p *peer) run(precision string) (t term, err error) {
	if _, err := fmt.Fprintln(p.stdin, precision); err != nil {
		return t, err
	}
	return t, p.answer(&t)
}

// close ends the process, which ends with its input.
func (p *peer) close() error {
	if p.cmd.ProcessState != nil { // answer has waited for it, which closes the input, too
		return nil
	}
	return errors.Join(p.stdin.Close(), p.cmd.Wait())
}

// lastLine is what a process said last.
func lastLine(text []byte, otherwise string) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if last := string(lines[len(lines)-1]); last != "" {
		return last
	}
	return otherwise
}

// PeerResult compares the student's supervised term, forward and backward, with PyTorch's.
type PeerResult struct {
	Row
	Encoder string          `json:"encoder"`
	Head    string          `json:"head"`
	Device  string          `json:"device"`
	TF32    bool            `json:"tf32"`
	Torch   string          `json:"torch"` // its version
	Where   string          `json:"torch_device"`
	Rounds  int             `json:"rounds"`
	Ours    float64         `json:"seconds"` // median
	Theirs  map[string]Peer `json:"pytorch"` // by precision
}

// Peer is what PyTorch takes in one precision.
type Peer struct {
	Seconds float64 `json:"seconds"` // median
	Ratio   float64 `json:"ratio"`   // of our time to its: median of the rounds' ratios
	Peak    float64 `json:"peak_mib,omitempty"`
}

// Compare alternates our term and PyTorch's for about as long as given, at least two
// rounds and at most twenty, after one that warms up.
func Compare(ctx context.Context, r Row, python string, most time.Duration) (res PeerResult, err error) {
	r.Settings = append([]string{"method=" + configs.SourceOnly}, r.Settings...)
	cfg, err := r.Config()
	if err != nil {
		return res, err
	}
	if cfg.UsesHRDA() {
		return res, fmt.Errorf("network %s: PyTorch's beside it has one resolution: compare others", r.Network)
	}
	res = PeerResult{Row: r, Encoder: cfg.Model.Encoder, Head: cfg.Model.Head, Theirs: map[string]Peer{}}
	m := &measurement{cfg: cfg, res: Result{Nodes: map[string]int{}}}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := m.open(); err != nil {
		return res, err
	}
	res.Device, res.TF32 = m.res.Device, m.res.TF32
	p, err := startPeer(ctx, python, cfg, res.Device)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	res.Torch, res.Where = p.what.Torch, p.what.Device
	c := comparison{m: m, p: p, theirs: map[string][]term{}}
	start := time.Now()
	for round := 0; ctx.Err() == nil && round <= mostIterations && (round <= 2 || time.Since(start) < most); round++ {
		if err := c.round(ctx, round); err != nil && ctx.Err() == nil {
			return res, err
		}
	}
	c.sumUp(&res)
	return res, ctx.Err()
}

// comparison collects the rounds after the first.
type comparison struct {
	m      *measurement
	p      *peer
	ours   []float64
	theirs map[string][]term
}

// round measures both once; of one that fails or is interrupted nothing counts.
func (c *comparison) round(ctx context.Context, round int) error {
	one, err := c.m.iterate(ctx, round)
	if err != nil {
		return err
	}
	theirs := map[string]term{}
	for _, precision := range c.p.what.Precisions {
		if theirs[precision], err = c.p.run(precision); err != nil {
			return err
		}
	}
	if round == 0 {
		return nil
	}
	c.ours = append(c.ours, one.Seconds["source"]/float64(c.m.cfg.Train.MicroBatches()))
	for precision, t := range theirs {
		c.theirs[precision] = append(c.theirs[precision], t)
	}
	return nil
}

func (c *comparison) sumUp(res *PeerResult) {
	res.Rounds = len(c.ours)
	for precision, rounds := range c.theirs {
		var seconds, ratios []float64
		peak := 0.0
		for i, t := range rounds {
			seconds, ratios, peak = append(seconds, t.Seconds), append(ratios, c.ours[i]/t.Seconds), max(peak, t.Peak)
		}
		res.Theirs[precision] = Peer{Seconds: median.Of(seconds), Ratio: median.Of(ratios), Peak: peak}
	}
	if res.Rounds > 0 {
		res.Ours = median.Of(c.ours)
	}
}

// PeerPython returns the Python that [PeerEnv] names, "" for none.
func PeerPython() string { return os.Getenv(PeerEnv) }
