package bucket

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		"anybody":         {"AWS_ENDPOINT_URL=SERVER", "", "", ""},
		"environment":     {"AWS_ENDPOINT_URL=SERVER AWS_ACCESS_KEY_ID=envid AWS_SECRET_ACCESS_KEY=verysecret AWS_SESSION_TOKEN=tok AWS_PROFILE=lab", "envid/eu-lab-1", "tok", ""},
		"other region":    {"AWS_ENDPOINT_URL=SERVER AWS_ACCESS_KEY_ID=envid AWS_SECRET_ACCESS_KEY=verysecret AWS_DEFAULT_REGION=eu-env-1", "envid/eu-env-1", "", ""},
		"no region":       {"AWS_ENDPOINT_URL=SERVER AWS_ACCESS_KEY_ID=envid AWS_SECRET_ACCESS_KEY=verysecret", "envid/us-east-1", "", ""},
		"profile":         {"AWS_PROFILE=lab", "labid/eu-lab-1", "labtoken", ""},
		"region before":   {"AWS_PROFILE=lab AWS_REGION=eu-env-1", "labid/eu-env-1", "labtoken", ""},
		"default profile": {"AWS_ENDPOINT_URL_S3=SERVER PROFILES=default", "defaultid/us-east-1", "", ""},
		"role":            {"AWS_ENDPOINT_URL=SERVER AWS_CONTAINER_CREDENTIALS_FULL_URI=" + roles.URL, "roleid/us-east-1", "roletoken", ""},
		"machine":         {"AWS_ENDPOINT_URL=SERVER AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=" + roles.URL, "roleid/us-east-1", "roletoken", ""},
		"silent machine":  {"AWS_ENDPOINT_URL=SERVER AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1", "", "", ""},
		"no such profile": {"AWS_PROFILE=gone", "", "", "gone"},
		"no address":      {"AWS_PROFILE=nowhere", "", "", "or endpoint_url of the profile, is no address"},
		"broken file":     {"PROFILES=broken AWS_PROFILE=lab", "", "", "what says who reads buckets"},
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
			b, err := Open(t.Context(), buckettest.Name, nil)
			if c.fault != "" {
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

// profiles writes the files of Amazon's tools, with a profile lab of a server.
func profiles(t *testing.T, server string, withDefault, broken bool) {
	t.Helper()
	config := "[profile lab]\nregion = eu-lab-1\nendpoint_url = " + server + "\n[profile nowhere]\nendpoint_url = localhost:1\n"
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
