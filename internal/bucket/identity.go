package bucket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
)

// machineTime is how long a machine is asked which role it has, where nothing else says who
// asks: those that have one answer at once.
const machineTime = 2 * time.Second

// settings are what Amazon's client finds, in its order: the environment
// (AWS_ACCESS_KEY_ID …, AWS_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL), the profile that
// AWS_PROFILE names in ~/.aws, the role of the container, the role of the machine. Without
// any, buckets are read as anybody; the region is then us-east-1.
func settings(ctx context.Context) (aws.Config, error) {
	if (os.Getenv("AWS_ACCESS_KEY_ID") == "") != (os.Getenv("AWS_SECRET_ACCESS_KEY") == "") {
		return aws.Config{}, errors.New("of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one is set: want both, or neither for a profile, a role or a bucket that anybody may read")
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithDefaultRegion("us-east-1"))
	if err != nil {
		return cfg, fmt.Errorf("what says who reads buckets (the environment's AWS_…, ~/.aws): %w", err)
	}
	if !aws.IsCredentialsProvider(cfg.Credentials, (*ec2rolecreds.Provider)(nil)) {
		return cfg, nil
	}
	once, cancel := context.WithTimeout(ctx, machineTime)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(once); err != nil {
		cfg.Credentials = aws.AnonymousCredentials{}
	}
	return cfg, ctx.Err()
}
