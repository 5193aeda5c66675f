package cli

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/export/serve"
	"t2sda/graphs/engine"
	"t2sda/internal/interrupt"
	"t2sda/internal/limit"
	"t2sda/internal/ortweb"
	"t2sda/internal/plural"
	"t2sda/internal/raster"
)

// tokenEnv is the environment variable of the token: a flag is seen by whoever lists
// the processes.
const tokenEnv = "T2SDA_SERVE_TOKEN"

// serving is what the command serve is asked for.
type serving struct {
	model         modelFlags
	compare, addr string
	token, web    string
	limits        serve.Limits
}

func serveCommand() *cobra.Command {
	v := serving{limits: serve.DefaultLimits()}
	cmd := &cobra.Command{
		Use:   "serve --model M.onnx",
		Short: "Show a model on a page, and answer programs over HTTP",
		Long: `Serve a page on which a person drops images and sees what a model makes of them, and
POST /v1/segment for programs: an image in, a label map, runs of classes or an overlay
out (/openapi.json describes it). The first line that is printed is the address.

Addresses other than this machine's own (--addr 0.0.0.0:8080) want a token (--token, or
the environment variable ` + tokenEnv + `), which requests bring along as
Authorization: Bearer …, and for which the page asks. Traffic is not encrypted: put what
does that in front.
` + fmt.Sprintf(modelHelp, "--labels says; it is needed for them"),
		Args: cobra.NoArgs,
		RunE: v.run,
	}
	v.model.add(cmd)
	flags, l := cmd.Flags(), &v.limits
	flags.StringVar(&v.addr, "addr", "127.0.0.1:8080", "host and port to listen on; port 0 picks a free one")
	flags.StringVar(&v.compare, "compare", "", "second model of the same classes, shown beside the first")
	flags.StringVar(&v.token, "token", "", "what requests must bring along (default: "+tokenEnv+" of the environment)")
	flags.StringVar(&v.web, "web", "", "folder of ONNX Runtime for browsers (default: where t2sda runtime install --web puts it)")
	flags.Int64Var(&l.Bytes, "max-bytes", l.Bytes, "bytes that an image's file may have")
	flags.IntVar(&l.Pixels, "max-pixels", l.Pixels, "pixels that an image may have")
	flags.DurationVar(&l.Time, "timeout", l.Time, "time that a request may take, its upload included")
	flags.IntVar(&l.Concurrency, "concurrency", l.Concurrency, "images that are decoded and answered at once")
	flags.IntVar(&l.Queue, "queue", l.Queue, "requests that wait beyond these; the next get status 429")
	flags.IntVar(&l.Batch, "batch", l.Batch, "images that wait and share a run, where the model takes several")
	return cmd
}

func (v *serving) run(cmd *cobra.Command, _ []string) error {
	if v.token == "" {
		v.token = os.Getenv(tokenEnv)
	}
	local, err := isLocal(v.addr)
	switch {
	case err != nil:
		return usageError{fmt.Errorf("--addr %s: %w", v.addr, err)}
	case !local && v.token == "":
		return usageError{fmt.Errorf("--addr %s can be reached from other machines: give a token (--token, or %s), or an address of this machine's own, such as 127.0.0.1:8080", v.addr, tokenEnv)}
	}
	if most, err := limit.Pixels(); err != nil {
		return err
	} else if cmd.Flags().Changed("max-pixels") && v.limits.Pixels > most {
		return usageError{fmt.Errorf("--max-pixels %d: no more than %d are decoded; %s=… sets another limit", v.limits.Pixels, most, limit.PixelsEnv)}
	}
	listener, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp", v.addr) // before the model is opened, which takes longer
	if err != nil {
		return fmt.Errorf("%w: choose another address by --addr; port 0 picks a free one", err)
	}
	defer listener.Close() // closed twice where requests were served
	return v.model.with(cmd, datasets.Space{}, func(e *engine.Engine, p *predict.Predictor) (err error) {
		o := serve.Options{
			Model: p, Token: v.token, Local: local && v.token == "", Limits: v.limits, Version: version(),
			Log: log.New(cmd.ErrOrStderr(), "t2sda: ", log.LstdFlags),
		}
		if v.compare != "" {
			second := v.model
			second.path = v.compare
			if o.Compare, err = second.open(e, datasets.Space{}); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, o.Compare.Close()) }()
		}
		if o.Web, err = ortweb.Find(v.web); err != nil {
			o.WebMissing = fmt.Sprintf("%v: run %s runtime install --web, and start the server again", err, program())
		}
		return v.serve(cmd, listener, o)
	})
}

// serve answers requests until the command is interrupted.
func (v *serving) serve(cmd *cobra.Command, l net.Listener, o serve.Options) error {
	s, err := serve.New(o)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := warmUp(cmd.Context(), o.Model, o.Compare); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "http://%s/\n", v.shown(l.Addr())); err != nil {
		return err
	}
	if o.WebMissing != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "t2sda: the page cannot run the model in the browser:", o.WebMissing)
	}
	err = s.Serve(cmd.Context(), l)
	return interrupt.Explain(err, "the server has ended; %s answered, none cut off", plural.Of(int(s.Answered()), "image was", "images were"))
}

// shown is the address to type: with the host as it was given, where that is one.
func (v *serving) shown(listening net.Addr) string {
	host, _, err := net.SplitHostPort(v.addr)
	_, port, portErr := net.SplitHostPort(listening.String())
	if err != nil || portErr != nil {
		return listening.String()
	}
	if host == "" {
		host = "0.0.0.0"
	}
	return net.JoinHostPort(host, port)
}

// isLocal reports whether only this machine can reach an address.
func isLocal(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("want host and port, as in 127.0.0.1:8080: %w", err)
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback(), nil
}

// warmUp runs the models once, so that a model that fails does so before anybody asks,
// and the first who asks does not wait for what a first run prepares.
func warmUp(ctx context.Context, models ...*predict.Predictor) error {
	const edge = 64
	for _, p := range models {
		if p == nil {
			continue
		}
		w, h := p.ImageSize()
		if w == 0 {
			w, h = edge, edge
		}
		if _, err := p.Predict(ctx, raster.NewImage(w, h)); err != nil {
			return err
		}
	}
	return nil
}
