// Who am I? Asked of STS with the default credentials chain of the AWS SDK for Go v2, in any of its versions.
package main

import (
	"context"
	"os"

	"clients/driver"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	driver.Run(newClient)
}

func newClient() (func() error, error) {
	ctx := context.Background()
	ours, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	client := sts.NewFromConfig(ours, func(options *sts.Options) {
		// Deprecated, but the one way to name an endpoint that the old version knows too.
		options.EndpointResolver = sts.EndpointResolverFromURL(os.Getenv("STS_ENDPOINT_URL"))
	})
	return func() error {
		_, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return err
	}, nil
}
