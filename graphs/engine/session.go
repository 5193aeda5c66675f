package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"t2sda/internal/osthread"
)

// SessionOptions override the engine's options for one session; zero values keep them.
type SessionOptions struct {
	IntraOpThreads    int
	OptimizationLevel OptimizationLevel
	// Outputs that the session computes; the model's others are left out. Empty:
	// all.
	Outputs []string
	// Choose names them by the model's metadata, where Outputs is empty. Nil: all.
	Choose func(metadata map[string]string) []string
	// Edit returns the model, all of it in one piece, that is run in the place of the one that was
	// read, whose metadata it is given; nil: that one itself. Nil: no other.
	Edit func(model []byte, metadata map[string]string) []byte
	// Capture lets runs be captured, if the engine does that, and the device can. The session then
	// has one binding, of tensors that all lie in the device's memory, and changes those that it
	// has in place several times within its first run. See [Session.Captured].
	Capture bool
	// Native lets the model have operators of our own; the engine must have them, see [Engine.Native].
	Native bool
}

// Session is a model made ready to run on an engine's device. Its methods may be
// called from several goroutines.
type Session struct {
	name          string
	engine        *Engine
	inputs        []IOInfo
	outputs       []IOInfo
	metadata      map[string]string
	profilePrefix string // empty when there is no profile

	mu      sync.RWMutex // held for reading during a run
	session *ort.DynamicAdvancedSession
	closed  bool
	closing sync.Once

	thread *osthread.Thread // that captured runs are on; nil: they are not captured
	begun  bool             // whether the first of them is done; only the thread looks at it

	bindingsMu  sync.Mutex
	bindings    map[*Binding]struct{}
	reserved    bool // whether a captured session has had its binding
	profileFile string
}

// NewSession makes a session of a serialised ONNX model. The name appears in
// errors and in the name of the profile; it need not be unique.
func (e *Engine) NewSession(name string, model []byte) (*Session, error) {
	return e.NewSessionWith(name, model, SessionOptions{})
}

// NewSessionWith is NewSession with options of its own.
func (e *Engine) NewSessionWith(name string, model []byte, o SessionOptions) (*Session, error) {
	s, err := e.newSession(name, model, "", o)
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", name, err)
	}
	return s, nil
}

// OpenModel makes a session of an ONNX file, named after the file. Weights kept in
// files of their own beside it are found. Errors name the file.
func (e *Engine) OpenModel(path string) (*Session, error) {
	return e.OpenModelWith(path, SessionOptions{})
}

// OpenModelWith is OpenModel with options of its own.
func (e *Engine) OpenModelWith(path string, o SessionOptions) (*Session, error) {
	model, err := readModel(path)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	if err := foreign(model); err != nil {
		return nil, fmt.Errorf("open model %s: %w", path, err)
	}
	if e.options.Vet != nil {
		if err := e.options.Vet(path, model, e.device.String()); err != nil {
			return nil, fmt.Errorf("open model %s: %w", path, err)
		}
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	s, err := e.newSession(name, model, path, o)
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", path, err)
	}
	return s, nil
}

// newSession makes a session of a model; path is its file, empty where it has none.
func (e *Engine) newSession(name string, model []byte, path string, o SessionOptions) (_ *Session, err error) {
	if len(model) == 0 {
		return nil, errors.New("the model is empty")
	}
	if o.Edit != nil {
		if edited := o.Edit(model, properties(model)); edited != nil {
			model, path = edited, ""
		}
	}
	s := &Session{name: name, engine: e, bindings: map[*Binding]struct{}{}}
	if s.inputs, s.outputs, err = signature(model); err != nil {
		return nil, fmt.Errorf("not an ONNX model, or a truncated one: %w", err)
	}
	if len(s.outputs) == 0 {
		return nil, errors.New("not an ONNX model, or a truncated one: its graph has no outputs")
	}
	names := o.Outputs
	if len(names) == 0 && o.Choose != nil {
		names = o.Choose(properties(model))
	}
	if s.outputs, err = choose(s.outputs, names); err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return nil, errEngineClosed
	}
	if e.options.ProfilePrefix != "" {
		s.profilePrefix = e.newProfilePrefix(name)
	}
	var uncaptured error
	if o.Capture = o.Capture && e.options.CUDA.Graph && len(s.inputs) > 0; o.Capture {
		uncaptured, err = s.createCaptured(model, path, o)
	} else {
		err = s.createWith(model, path, o)
	}
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime does not accept the model: %w", err)
	}
	if s.metadata, err = metadata(s.session); err != nil {
		return nil, errors.Join(fmt.Errorf("metadata: %w", err), s.destroy())
	}
	if e.keepsPlacements() {
		if err := s.place(uncaptured); err != nil {
			return nil, errors.Join(err, s.destroy())
		}
	}
	e.sessionsMu.Lock()
	defer e.sessionsMu.Unlock()
	e.sessions[s] = struct{}{}
	return s, nil
}

// createWith is create with options.
func (s *Session) createWith(model []byte, path string, o SessionOptions) (err error) {
	s.engine.capturing.RLock()
	defer s.engine.capturing.RUnlock()
	options, err := s.engine.sessionOptions(o, s.profilePrefix)
	if err != nil {
		return err
	}
	s.session, err = s.create(model, path, options)
	if failed := options.Destroy(); failed != nil && err == nil {
		err = errors.Join(failed, s.session.Destroy())
	}
	return err
}

// destroy frees what ONNX Runtime has of the session, on the thread that it has something of.
func (s *Session) destroy() (err error) {
	return s.engine.outsideOfCaptures(func() (err error) {
		if s.thread == nil {
			return s.session.Destroy()
		}
		s.thread.Call(func() { err = s.session.Destroy() })
		s.thread.Close()
		return err
	})
}

// create hands the model to ONNX Runtime: as its file, beside which its weights may
// lie, or from memory where it had to be changed. From here on inputs and outputs
// have the types of the tensors that they take.
func (s *Session) create(model []byte, path string, options *ort.SessionOptions) (_ *ort.DynamicAdvancedSession, err error) {
	model, c, err := widened(model, s.inputs, s.outputs)
	if err != nil {
		return nil, err
	}
	inputs, outputs := cloneInfos(s.inputs), cloneInfos(s.outputs)
	in, out := widen(inputs, c.in), widen(outputs, c.out)
	defer func() {
		if err == nil {
			s.inputs, s.outputs = inputs, outputs
		}
	}()
	if path != "" && c.none() {
		return ort.NewDynamicAdvancedSession(path, in, out, options)
	}
	if path != "" {
		if err := options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	return ort.NewDynamicAdvancedSessionWithONNXData(model, in, out, options)
}

// choose returns the outputs of those names, all if there are none.
func choose(outputs []IOInfo, names []string) ([]IOInfo, error) {
	if len(names) == 0 {
		return outputs, nil
	}
	chosen := make([]IOInfo, len(names))
	for i, name := range names {
		k := slices.IndexFunc(outputs, func(o IOInfo) bool { return o.Name == name })
		if k < 0 {
			return nil, fmt.Errorf("there is no output %q (outputs: %s)", name, quoted(ioNames(outputs)))
		}
		chosen[i] = outputs[k]
	}
	return chosen, nil
}

// sessionOptions sets what all sessions have in common: one shared CPU arena,
// which needs memory patterns off (a pattern would claim one more block of peak
// size per session), operators in sequence, threads and the device.
func (e *Engine) sessionOptions(o SessionOptions, profilePrefix string) (_ *ort.SessionOptions, err error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, options.Destroy())
		}
	}()
	level, err := cmp.Or(o.OptimizationLevel, e.options.OptimizationLevel).level()
	if err != nil {
		return nil, err
	}
	threads := cmp.Or(o.IntraOpThreads, e.options.IntraOpThreads, runtime.GOMAXPROCS(0))
	spinning := "0"
	if e.options.AllowSpinning {
		spinning = "1"
	}
	shared := "1"
	if o.Capture && e.HasOwnMemory() {
		shared = "0" // whatever the process shares on the device
	}
	steps := []error{
		options.AddSessionConfigEntry("session.use_env_allocators", shared),
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", spinning),
		options.SetMemPattern(false),
		options.SetExecutionMode(ort.ExecutionModeSequential),
		options.SetIntraOpNumThreads(threads),
		options.SetGraphOptimizationLevel(level),
		options.SetLogSeverityLevel(ort.LoggingLevelFatal),
		e.appendDevice(options, e.device, o.Capture),
	}
	if o.Native {
		steps = append(steps, e.addNative(options))
	}
	if e.keepsPlacements() {
		steps = append(steps, options.AddSessionConfigEntry(recordAssignment, "1"))
	}
	if profilePrefix != "" {
		steps = append(steps, options.EnableProfiling(profilePrefix))
	}
	return options, errors.Join(steps...)
}

// metadata copies the model's custom metadata and its producer.
func metadata(session *ort.DynamicAdvancedSession) (_ map[string]string, err error) {
	m, err := session.GetModelMetadata()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Destroy()) }()
	keys, err := m.GetCustomMetadataMapKeys()
	if err != nil {
		return nil, err
	}
	all := make(map[string]string, len(keys))
	for _, k := range keys {
		if all[k], _, err = m.LookupCustomMetadataMap(k); err != nil {
			return nil, fmt.Errorf("key %q: %w", k, err)
		}
	}
	return all, nil
}

// Name returns the session's name.
func (s *Session) Name() string { return s.name }

// Inputs returns the inputs that a run needs, in the model's order.
func (s *Session) Inputs() []IOInfo { return cloneInfos(s.inputs) }

// Outputs returns the outputs in the model's order.
func (s *Session) Outputs() []IOInfo { return cloneInfos(s.outputs) }

// Metadata returns a copy of the model's custom metadata.
func (s *Session) Metadata() map[string]string {
	return maps.Clone(s.metadata)
}

// Close waits for runs under way, closes the session's bindings and frees the
// model. A profile that was asked for is written now. A second call waits for the first.
func (s *Session) Close() (err error) {
	s.closing.Do(func() { err = s.close() })
	return err
}

func (s *Session) close() error {
	s.mu.Lock()
	s.closed = true
	errs := []error{s.destroy()}
	s.mu.Unlock()

	for _, b := range s.openBindings() {
		errs = append(errs, b.Close())
	}
	s.engine.sessionsMu.Lock()
	delete(s.engine.sessions, s)
	s.engine.sessionsMu.Unlock()
	if s.profilePrefix != "" {
		errs = append(errs, s.findProfile())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close session %s: %w", s.name, err)
	}
	return nil
}

func (s *Session) openBindings() []*Binding {
	s.bindingsMu.Lock()
	defer s.bindingsMu.Unlock()
	all := make([]*Binding, 0, len(s.bindings))
	for b := range s.bindings {
		all = append(all, b)
	}
	return all
}

func cloneInfos(infos []IOInfo) []IOInfo {
	out := slices.Clone(infos)
	for i := range out {
		out[i].Dims = slices.Clone(out[i].Dims)
	}
	return out
}

func ioNames(infos []IOInfo) []string {
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	return names
}
