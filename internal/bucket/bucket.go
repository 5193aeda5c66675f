// Package bucket reads objects of S3 buckets, Amazon's or others' that speak its
// protocol: lists them, fetches ranges of bytes with patience, and keeps what it has
// fetched in a folder of bounded size.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Scheme begins the names of objects: s3://bucket/key.
const Scheme = "s3://"

// Split parts a name into bucket and key, which may be empty.
func Split(name string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(name, Scheme)
	bucket, key, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return "", "", fmt.Errorf("%q names no bucket: want s3://BUCKET/PREFIX", name)
	}
	return bucket, key, nil
}

// Bucket is one bucket. It is safe for concurrent use.
type Bucket struct {
	name     string
	endpoint string // empty: Amazon's
	api      *s3.Client
	anybody  error  // as in [identity]
	cache    *Cache // nil: none
	patience patience
}

// Open opens a bucket as the environment and the files of Amazon's tools say, without
// asking it anything, but for keys whoever gives them: see [settings].
func Open(ctx context.Context, name string, cache *Cache) (*Bucket, error) {
	b := &Bucket{name: name, cache: cache, patience: usual}
	id, err := identify(ctx)
	if err != nil {
		return nil, err
	}
	b.anybody = id.anybody
	client, ok := id.HTTPClient.(*awshttp.BuildableClient) // which trusts AWS_CA_BUNDLE
	if !ok {
		client = awshttp.NewBuildableClient()
	}
	client = client.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = 64 // workers fetch from one host
		t.ResponseHeaderTimeout = b.patience.stall
	})
	b.api = s3.NewFromConfig(id.Config, func(o *s3.Options) {
		b.endpoint = aws.ToString(o.BaseEndpoint)
		o.UsePathStyle = b.endpoint != ""
		o.HTTPClient = client
		o.Retryer = aws.NopRetryer{} // [Bucket.patiently] tries again, after bodies that end early as well
		// Sums that servers of others do not know of are not asked for.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	if u, err := url.Parse(b.endpoint); b.endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("AWS_ENDPOINT_URL, or endpoint_url of the profile, is no address: want http://HOST:PORT or https://HOST")
	}
	return b, nil
}

// List returns the objects whose keys begin with prefix, in lexical order.
func (b *Bucket) List(ctx context.Context, prefix string) ([]*Object, error) {
	var all []*Object
	var next *string
	for {
		var page *s3.ListObjectsV2Output
		err := b.patiently(ctx, Scheme+b.name+"/"+prefix, func(ctx context.Context) (err error) {
			page, err = b.api.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix, ContinuationToken: next})
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			if key := aws.ToString(o.Key); !strings.HasSuffix(key, "/") { // what consoles make for folders
				all = append(all, &Object{b, key, aws.ToInt64(o.Size), aws.ToTime(o.LastModified), aws.ToString(o.ETag)})
			}
		}
		if next = page.NextContinuationToken; !aws.ToBool(page.IsTruncated) || next == nil {
			return all, nil
		}
	}
}

// Object is an object as it was listed: when it has changed since, reading it is an error.
type Object struct {
	bucket *Bucket
	key    string
	size   int64
	time   time.Time
	etag   string
}

// Name is s3://bucket/key.
func (o *Object) Name() string { return Scheme + o.bucket.name + "/" + o.key }

// Size returns bytes.
func (o *Object) Size() int64 { return o.size }

// ModTime is the time of the object's last change.
func (o *Object) ModTime() time.Time { return o.time }

// ID tells the object from all others, and from what it was before a change.
func (o *Object) ID() string {
	return fmt.Sprintf("%s %d %d %s %s", o.bucket.endpoint, o.size, o.time.UnixNano(), o.etag, o.Name())
}
