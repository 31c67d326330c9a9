// Which buckets? Asked of S3 by minio-go v7. It has no default chain: each door takes the provider that is documented
// for it.
package main

import (
	"context"
	"net/url"
	"os"

	"clients/driver"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

func main() {
	driver.Run(newClient)
}

func newClient() (func() error, error) {
	endpoint, err := url.Parse(os.Getenv("S3_ENDPOINT_URL"))
	if err != nil {
		return nil, err
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds:        provider(os.Args[1]),
		Region:       os.Getenv("AWS_REGION"),
		BucketLookup: minio.BucketLookupPath,
		// Refused for expired credentials it would try ten times.
		MaxRetries: 1,
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		_, err := client.ListBuckets(context.Background())
		return err
	}, nil
}

func provider(door string) *credentials.Credentials {
	switch door {
	case "C", "P":
		return credentials.NewFileAWSCredentials("", "")
	default:
		return credentials.NewIAM("")
	}
}
