# The environment's settings, so that both tools name the same things:
#
#   invoke config --env staging --json > settings.jsonl
#
# Every line is an object with key, value and source.

variable "settings" {
  type    = string
  default = "settings.jsonl"
}

variable "vpc_id" {
  type = string
}

variable "public_subnets" {
  type        = list(string)
  description = "For the load balancer, in two zones."
}

variable "certificate_arn" {
  type        = string
  default     = ""
  description = "For the hosts in [endpoints]. Empty: the listeners speak HTTP."
}

variable "service_exists" {
  type        = bool
  default     = false
  description = "Set it after the first release, which makes the ECS service: scaling needs it."
}

locals {
  lines    = [for line in split("\n", trimspace(file(var.settings))) : jsondecode(line)]
  settings = { for line in local.lines : line.key => line.value if line.event == "setting" }

  blue  = local.settings["service.target_groups"][0]
  green = local.settings["service.target_groups"][1]
  https = var.certificate_arn != ""
}
