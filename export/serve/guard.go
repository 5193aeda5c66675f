package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"slices"
	"strings"
)

// policy is what the page may do: run what this server gives, WebAssembly included, and
// ask nobody else for anything.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; " +
	"connect-src 'self' blob:; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// headers go with every answer. Isolation from other origins also gives WebAssembly its
// threads.
var headers = map[string]string{
	"Content-Security-Policy":      policy,
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Embedder-Policy": "require-corp",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
}

// localNames are this machine's names for itself.
var localNames = []string{"localhost", "127.0.0.1", "::1"}

// checkHost refuses requests that reach a local server by a name from elsewhere: a page
// whose name leads to this machine would else read the answers (DNS rebinding).
func (s *Server) checkHost(r *http.Request) error {
	if !s.o.Local {
		return nil
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() || slices.Contains(localNames, strings.ToLower(host)) {
		return nil
	}
	return problemf(http.StatusMisdirectedRequest, "this server is %s's own and is not called %q: ask for localhost or 127.0.0.1", "its machine", r.Host)
}

// checkOrigin refuses what other pages' scripts send: they could not read the answers,
// but keep the machine busy.
func checkOrigin(r *http.Request) error {
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		return problemf(http.StatusForbidden, "a page from elsewhere asks: %v", err)
	}
	return nil
}

// checkToken refuses requests without the token.
func (s *Server) checkToken(r *http.Request) error {
	if s.o.Token == "" {
		return nil
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	have, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.o.Token)) // of one length, whatever was given
	if ok && subtle.ConstantTimeCompare(have[:], want[:]) == 1 {
		return nil
	}
	return problemf(http.StatusUnauthorized, "this server wants its token: Authorization: Bearer …")
}
