# The token of a cluster, as a configuration that uses the kubernetes or helm provider gets it.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

# Nothing of AWS is asked: the token is signed here.
provider "aws" {
  region                      = "eu-west-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}

data "aws_eks_cluster_auth" "demo" {
  name = "demo"
}

output "token" {
  value     = data.aws_eks_cluster_auth.demo.token
  sensitive = true
}
