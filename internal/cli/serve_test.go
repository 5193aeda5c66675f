package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"t2sda/export/exporttest"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/raster"
)

// A served model answers at the address that is the first line, until an interrupt.
func TestServe(t *testing.T) {
	enginetest.Isolate(t)
	model := exporttest.Foreign{Classes: 19, Step: 13}.File(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	var errs bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, []string{"serve", "--model", model, "--labels", "cityscapes-trainids", "--addr", "127.0.0.1:0", "--device", "cpu"}, in, &errs)
		in.Close()
	}()
	first, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(first, "http://127.0.0.1:") {
		t.Fatalf("the first line is %q, %v: %s", first, err, errs.String())
	}
	root := strings.TrimSpace(first)
	picture, err := raster.EncodePNG(raster.NewImage(8, 8).NRGBA())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		resp, err := http.Post(root+"v1/segment", "image/png", bytes.NewReader(picture))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("an image gets %s", resp.Status)
		}
	}
	taken := strings.TrimSuffix(strings.TrimPrefix(root, "http://"), "/")
	fail(t, exitFailure, "choose another address by --addr; port 0 picks a free one", "serve", "--model", model, "--addr", taken)
	cancel()
	select {
	case got := <-code:
		if got != 130 || !strings.Contains(errs.String(), "t2sda: interrupted: the server has ended; 2 images were answered, none cut off") {
			t.Errorf("exit code %d: %s", got, errs.String())
		}
	case <-time.After(time.Minute):
		t.Fatal("the server does not end")
	}
	// There is no ONNX Runtime for browsers in the test's cache.
	if !strings.Contains(errs.String(), "runtime install --web, and start the server again") {
		t.Errorf("no word of how the browser gets the runtime: %s", errs.String())
	}
}

func TestServeRefuses(t *testing.T) {
	enginetest.Isolate(t)
	t.Setenv(tokenEnv, "")
	foreign := exporttest.Foreign{Classes: 19, Step: 13}.File(t)
	translator := filepath.Join(t.TempDir(), "translator.onnx")
	bytes := onnxtest.New().In("x", 1, 1, 3, -1, -1).Node("same", "Identity", "x", "y").Out("y", 1, 1, 3, -1, -1).Bytes()
	if err := os.WriteFile(translator, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	labels := []string{"--labels", "cityscapes-trainids", "--addr", "127.0.0.1:0", "--device", "cpu"}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "can be reached from other machines: give a token", []string{"--model", foreign, "--addr", "0.0.0.0:0"}},
		{exitUsage, "can be reached from other machines: give a token", []string{"--model", foreign, "--addr", ":0"}},
		{exitUsage, "want host and port, as in 127.0.0.1:8080", []string{"--model", foreign, "--addr", "8080"}},
		{exitUsage, "no more than", []string{"--model", foreign, "--addr", "127.0.0.1:0", "--max-pixels", "2000000000"}},
		{exitUsage, `required flag(s) "model" not set`, nil},
		{exitFailure, "no such file", []string{"--model", "none.onnx", "--addr", "127.0.0.1:0"}},
		{exitFailure, "a label map must say what the classes of its output are (--labels)", []string{"--model", foreign, "--addr", "127.0.0.1:0", "--device", "cpu"}},
		{exitFailure, "3 channels, but label map cityscapes-trainids gives wall the id 3", append([]string{"--model", translator}, labels...)},
		{exitFailure, "a queue of -1", append([]string{"--model", foreign, "--queue", "-1"}, labels...)},
		{exitFailure, "none.onnx", append([]string{"--model", foreign, "--compare", "none.onnx"}, labels...)},
	} {
		fail(t, c.code, c.want, append([]string{"serve"}, c.args...)...)
	}
}

func TestIsLocal(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:0": true, "localhost:80": true, "[::1]:80": true, "127.9.9.9:1": true, ":80": false, "0.0.0.0:80": false, "[::]:80": false, "192.0.2.1:80": false, "example.org:80": false,
	} {
		if got, err := isLocal(addr); err != nil || got != want {
			t.Errorf("%s: %v, %v", addr, got, err)
		}
	}
	if _, err := isLocal(""); err == nil {
		t.Error("no address is one")
	}
}
