// Which buckets? Asked of S3 by minio-go v6. It has no default chain: each door takes the provider that is documented
// for it.
package main

import (
	"net/url"
	"os"

	"clients/driver"

	"github.com/minio/minio-go/v6"
	"github.com/minio/minio-go/v6/pkg/credentials"
)

func main() {
	driver.Run(newClient)
}

func newClient() (func() error, error) {
	// Refused for expired credentials it would try ten times, over minutes.
	minio.MaxRetry = 1
	endpoint, err := url.Parse(os.Getenv("S3_ENDPOINT_URL"))
	if err != nil {
		return nil, err
	}
	client, err := minio.NewWithOptions(endpoint.Host, &minio.Options{
		Creds:        provider(os.Args[1]),
		Region:       os.Getenv("AWS_REGION"),
		BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		_, err := client.ListBuckets()
		return err
	}, nil
}

func provider(door string) *credentials.Credentials {
	if door == "C" {
		return credentials.NewFileAWSCredentials("", "")
	}
	return credentials.NewIAM("")
}
