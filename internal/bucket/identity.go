package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go/logging"
)

const (
	// machineTime is how long a machine is asked which role it has, where nothing else says
	// who asks: those that have one answer at once.
	machineTime = 2 * time.Second
	// keysTime is how long a profile's program, single sign-on or role may take to give keys.
	keysTime = time.Minute
)

// identity is who reads buckets, and how they are reached.
type identity struct {
	aws.Config
	anybody error // why they are read as anybody; nil: they are not
}

// identities remembers who reads by the environment that says so, so that a process asks its
// machine, or runs a profile's program, once for all data sets. Failures are not remembered.
var identities struct {
	sync.Mutex
	known map[string]*identity
}

// identify returns who reads, as the process's environment says: see [settings].
func identify(ctx context.Context) (*identity, error) {
	var said []string
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "HOME=") {
			said = append(said, v)
		}
	}
	slices.Sort(said)
	key := strings.Join(said, "\x00")
	identities.Lock()
	defer identities.Unlock()
	if id := identities.known[key]; id != nil {
		return id, nil
	}
	id, err := settings(ctx)
	if err != nil {
		return nil, err
	}
	if identities.known == nil {
		identities.known = map[string]*identity{}
	}
	identities.known[key] = id
	return id, nil
}

// settings are what Amazon's client finds, in its order: the environment
// (AWS_ACCESS_KEY_ID …, AWS_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL), the profile that
// AWS_PROFILE names in ~/.aws, the role of the container, the role of the machine. Without
// any, buckets are read as anybody; the region is then us-east-1. Keys that a program, a
// sign-on or a role gives are asked for here once, so that what is wrong with them is told
// before anything else.
func settings(ctx context.Context) (*identity, error) {
	if (os.Getenv("AWS_ACCESS_KEY_ID") == "") != (os.Getenv("AWS_SECRET_ACCESS_KEY") == "") {
		return nil, errors.New("of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one is set: want both, or neither for a profile, a role or a bucket that anybody may read")
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithDefaultRegion("us-east-1"), config.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, fmt.Errorf("what says who reads buckets (the environment's AWS_…, ~/.aws): %w", err)
	}
	machine := aws.IsCredentialsProvider(cfg.Credentials, (*ec2rolecreds.Provider)(nil))
	cfg.Credentials = keys{cfg.Credentials}
	most := keysTime
	if machine {
		most = machineTime
	}
	once, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	_, err = cfg.Credentials.Retrieve(once)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && machine:
		cfg.Credentials = aws.AnonymousCredentials{}
		return &identity{cfg, err}, nil
	case err != nil:
		return nil, err
	}
	return &identity{cfg, nil}, nil
}

// keys gives what a provider of Amazon's client gives, and explains why it gives none.
type keys struct{ aws.CredentialsProvider }

// Retrieve returns the keys, or a [keysError].
func (k keys) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := k.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = &keysError{err}
	}
	return c, err
}

// keysError says why there are no keys to ask with.
type keysError struct{ err error }

// Error never has what a program printed, among which keys may be: the client's own error
// cites all of it.
func (e *keysError) Error() string {
	who := fmt.Sprintf("the profile %q", profile())
	var program *processcreds.ProviderError
	if errors.As(e.err, &program) {
		return who + ": its credential_process gave no keys: run it by hand, it must end with code 0 and print nothing but the JSON of Version 1 that Amazon's tools read"
	}
	return fmt.Sprintf("%s, or the role in place of it, gave no keys: %v", who, plain(e.err))
}

// profile is the one of ~/.aws that is read.
func profile() string {
	return cmp.Or(os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE"), "default")
}
