// Who am I? Asked of STS with the default credentials chain of the AWS SDK for Go v1, in any of its versions.
package main

import (
	"os"

	"clients/driver"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"
)

func main() {
	driver.Run(newClient)
}

func newClient() (func() error, error) {
	config := aws.NewConfig().
		WithEndpoint(os.Getenv("STS_ENDPOINT_URL")).
		// Without it the chain says no more than that it found nothing.
		WithCredentialsChainVerboseErrors(true)
	ours, err := session.NewSession(config)
	if err != nil {
		return nil, err
	}
	client := sts.New(ours)
	return func() error {
		_, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{})
		return err
	}, nil
}
