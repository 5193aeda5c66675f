package datasets

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// unprivileged runs do as a user whom permissions bind, also when root tests:
// on a thread of its own, which then ends.
func unprivileged(t *testing.T, do func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread goes with the goroutine
		if os.Geteuid() == 0 {
			if err := syscall.Setfsuid(65534); err != nil {
				done <- err
				return
			}
		}
		do()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Skipf("no way to another user: %v", err)
	}
}

func TestUnreadable(t *testing.T) {
	for name, what := range map[string]string{"image": "images/train/ab.png", "label": "labels/train/ab.png", "folder": "images/train/sub"} {
		t.Run(name, func(t *testing.T) {
			o := checkSet(t, 2)
			at := filepath.Join(o.Root, what)
			if name == "folder" {
				if err := os.Mkdir(at, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for dir := at; dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) { // a foreign user's, but readable
				if err := os.Chmod(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(at, 0); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(at, 0o755) }) // so that it can be removed
			var err error
			unprivileged(t, func() { err = readAll(t, o) })
			wantError(t, err, at, "permission denied")
		})
	}
}

// A pipe of an image's name would be waited for without end.
func TestPipe(t *testing.T) {
	o := checkSet(t, 2)
	pipe := filepath.Join(o.Root, "images/train/ba.png")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	wantError(t, readAll(t, o), pipe, "is not a regular file")
	checkFinding := find(t, mustCheck(t, o, CheckOptions{}), "dead-link")
	if len(checkFinding.Files) != 1 {
		t.Errorf("%+v", checkFinding)
	}
}
