package bucket

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"t2sda/internal/bucket/buckettest"
)

// TestIdentity: who asks, for which region and where, is what the first of environment,
// profile and role says, and a request is signed by it.
func TestIdentity(t *testing.T) {
	roles := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/latest/api/token": // of a machine
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "600")
			fmt.Fprint(w, "session")
			return
		case "/gone":
			w.WriteHeader(http.StatusNotFound)
			return
		case "/latest/meta-data/iam/security-credentials/":
			fmt.Fprint(w, "trainer")
			return
		}
		fmt.Fprint(w, `{"Code": "Success", "AccessKeyId": "roleid", "SecretAccessKey": "verysecret", "Token": "roletoken", "Expiration": "2999-01-01T00:00:00Z"}`)
	}))
	defer roles.Close()
	for name, c := range map[string]struct {
		environment string // NAME=value …
		want        string // id and region of the request
		token       string
		fault       string
	}{
		"anybody":           {"AWS_ENDPOINT_URL=SERVER", "", "", ""},
		"environment":       {"AWS_ENDPOINT_URL=SERVER AWS_ACCESS_KEY_ID=envid AWS_SECRET_ACCESS_KEY=verysecret AWS_SESSION_TOKEN=tok AWS_PROFILE=lab", "envid/eu-lab-1", "tok", ""},
		"other region":      {"AWS_ENDPOINT_URL=SERVER AWS_ACCESS_KEY_ID=envid AWS_SECRET_ACCESS_KEY=verysecret AWS_DEFAULT_REGION=eu-env-1", "envid/eu-env-1", "", ""},
		"no region":         {"AWS_ENDPOINT_URL=SERVER AWS_ACCESS_KEY_ID=envid AWS_SECRET_ACCESS_KEY=verysecret", "envid/us-east-1", "", ""},
		"profile":           {"AWS_PROFILE=lab", "labid/eu-lab-1", "labtoken", ""},
		"region before":     {"AWS_PROFILE=lab AWS_REGION=eu-env-1", "labid/eu-env-1", "labtoken", ""},
		"default profile":   {"AWS_ENDPOINT_URL_S3=SERVER PROFILES=default", "defaultid/us-east-1", "", ""},
		"role":              {"AWS_ENDPOINT_URL=SERVER AWS_CONTAINER_CREDENTIALS_FULL_URI=" + roles.URL, "roleid/us-east-1", "roletoken", ""},
		"machine":           {"AWS_ENDPOINT_URL=SERVER AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=" + roles.URL, "roleid/us-east-1", "roletoken", ""},
		"silent machine":    {"AWS_ENDPOINT_URL=SERVER AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1", "", "", ""},
		"no such profile":   {"AWS_PROFILE=gone", "", "", "gone"},
		"no address":        {"AWS_PROFILE=nowhere", "", "", "or endpoint_url of the profile, is no address"},
		"broken file":       {"PROFILES=broken AWS_PROFILE=lab", "", "", "what says who reads buckets"},
		"program":           {"AWS_PROFILE=program", "programid/eu-lab-1", "", ""},
		"program talks":     {"AWS_PROFILE=talks", "", "", `the profile "talks": its credential_process gave no keys`},
		"role of a program": {"AWS_PROFILE=assumed", "", "", `the profile "assumed": its credential_process gave no keys`},
		"container is gone": {"AWS_ENDPOINT_URL=SERVER AWS_CONTAINER_CREDENTIALS_FULL_URI=" + roles.URL + "/gone", "", "", `or the role in place of it, gave no keys`},
	} {
		t.Run(name, func(t *testing.T) {
			s := &buckettest.Server{Objects: map[string]string{"a.jpg": "x"}}
			signed, token := "", ""
			s.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
				_, signed, _ = strings.Cut(r.Header.Get("Authorization"), "Credential=")
				token = r.Header.Get("X-Amz-Security-Token")
				return false
			}
			server := httptest.NewServer(s)
			defer server.Close()
			buckettest.NoProfile(t)
			profiles(t, server.URL, strings.Contains(c.environment, "PROFILES=default"), strings.Contains(c.environment, "PROFILES=broken"))
			for setting := range strings.FieldsSeq(strings.ReplaceAll(c.environment, "SERVER", server.URL)) {
				name, value, _ := strings.Cut(setting, "=")
				t.Setenv(name, value)
			}
			start := time.Now()
			b, err := Open(t.Context(), buckettest.Name, nil)
			if c.fault != "" {
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("told after %v", took)
				}
				if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "verysecret") {
					t.Errorf("%v, want %q", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := len(list(t, b, "")); n != 1 || b.where() != " at "+server.URL {
				t.Errorf("%d objects%s", n, b.where())
			}
			have := strings.Split(signed+"////", "/") // id/date/region/service/…
			if got := strings.Trim(have[0]+"/"+have[2], "/"); got != c.want || token != c.token {
				t.Errorf("asked as %q with token %q, want %q with %q", got, token, c.want, c.token)
			}
		})
	}
}

// program is a profile of a server whose keys a shell prints, after other things.
func program(name, server, before string) string {
	return "[profile " + name + "]\nregion = eu-lab-1\nendpoint_url = " + server + "\ncredential_process = sh -c '" + before +
		`echo "{\"Version\": 1, \"AccessKeyId\": \"programid\", \"SecretAccessKey\": \"verysecret\"}"` + "'\n"
}

// profiles writes the files of Amazon's tools, with a profile lab of a server.
func profiles(t *testing.T, server string, withDefault, broken bool) {
	t.Helper()
	config := "[profile lab]\nregion = eu-lab-1\nendpoint_url = " + server + "\n[profile nowhere]\nendpoint_url = localhost:1\n" +
		program("program", server, "") + program("talks", server, "echo careful; ") +
		"[profile assumed]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = talks\n"
	keys := "[lab]\naws_access_key_id = labid\naws_secret_access_key = verysecret\naws_session_token = labtoken\n"
	if withDefault {
		keys += "[default]\naws_access_key_id = defaultid\naws_secret_access_key = verysecret\n"
	}
	if broken {
		config = "[profile lab]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = gone\n"
	}
	dir := t.TempDir()
	for variable, text := range map[string]string{"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": keys} {
		path := filepath.Join(dir, variable)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(variable, path)
	}
}

// TestMachineOnce: a machine is asked once for all buckets, and what it did not say is told
// where access is denied.
func TestMachineOnce(t *testing.T) {
	asked := 0
	machine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusNotFound)
	}))
	defer machine.Close()
	s, b := open(t, map[string]string{"a.jpg": "x"}, nil)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine.URL)
	for range 2 {
		before := asked
		var err error
		if b, err = Open(t.Context(), buckettest.Name, nil); err != nil || asked == 0 || before != 0 && asked != before {
			t.Errorf("asked %d times, %d before: %v", asked, before, err)
		}
	}
	s.Fault = func(w http.ResponseWriter, _ *http.Request) bool {
		buckettest.Answer(w, 403, "AccessDenied")
		return true
	}
	if _, err := b.List(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "it was asked as anybody: ") {
		t.Error(err)
	}
}

// TestKeysRunOut: keys that are given no more are told at once, whatever answered for them.
func TestKeysRunOut(t *testing.T) {
	s, b := open(t, map[string]string{"a.jpg": "x"}, nil)
	denied := &smithy.GenericAPIError{Code: "ValidationError", Message: "no such role"}
	gives := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, denied })
	b.api = s3.New(b.api.Options(), func(o *s3.Options) { o.Credentials = keys{gives} })
	_, err := b.List(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), "gave no keys: ") || !strings.Contains(err.Error(), "no such role") || strings.Contains(err.Error(), "given up") || len(s.Asked) != 0 {
		t.Errorf("%v after %d requests", err, len(s.Asked))
	}
}

// TestCABundle: a server whose certificate AWS_CA_BUNDLE holds is trusted, and no other.
func TestCABundle(t *testing.T) {
	server := httptest.NewTLSServer(&buckettest.Server{Objects: map[string]string{"a.jpg": "x"}})
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	buckettest.NoProfile(t)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, trusted := range []string{"", bundle} {
		t.Setenv("AWS_CA_BUNDLE", trusted)
		b, err := Open(t.Context(), buckettest.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.patience.attempts = 1
		if _, err := b.List(t.Context(), ""); (err == nil) != (trusted != "") {
			t.Errorf("AWS_CA_BUNDLE=%s: %v", trusted, err)
		}
	}
}
