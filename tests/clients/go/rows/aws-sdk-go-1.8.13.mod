module clients

go 1.26.0

require (
	github.com/aws/aws-sdk-go v1.8.13
	github.com/go-ini/ini v1.25.4
	github.com/jmespath/go-jmespath v0.3.0
)
