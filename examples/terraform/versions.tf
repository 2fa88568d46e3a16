terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80"
    }
  }
}

provider "aws" {
  region              = local.settings["aws.region"]
  allowed_account_ids = [local.settings["aws.account"]]
}
