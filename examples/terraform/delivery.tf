resource "aws_ecr_repository" "this" {
  name                 = local.settings["build.repository"]
  image_tag_mutability = "IMMUTABLE"
  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_s3_bucket" "journal" {
  bucket = local.settings["journal.bucket"]
}

resource "aws_s3_bucket_versioning" "journal" {
  bucket = aws_s3_bucket.journal.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "journal" {
  bucket                  = aws_s3_bucket.journal.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# The names in docker/backend/task-definition.json.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/samjhadoo-backend"
  retention_in_days = 30
}

locals {
  roles = {
    "samjhadoo-task-execution" = {
      principal = "ecs-tasks.amazonaws.com"
      policy    = "service-role/AmazonECSTaskExecutionRolePolicy"
    }
    "samjhadoo-backend" = {
      principal = "ecs-tasks.amazonaws.com"
      policy    = ""
    }
    (local.settings["service.infrastructure_role"]) = {
      principal = "ecs.amazonaws.com"
      policy    = "AmazonECSInfrastructureRolePolicyForLoadBalancers"
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.roles
  name     = each.key
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = each.value.principal }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = { for name, role in local.roles : name => role.policy if role.policy != "" }
  role       = aws_iam_role.this[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/${each.value}"
}

resource "aws_iam_role_policy" "secrets" {
  name = "secrets"
  role = aws_iam_role.this["samjhadoo-task-execution"].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = "secretsmanager:GetSecretValue"
      Resource = [
        for key in ["database.secret", "cache.secret", "payments.webhook_secret"] :
        join(":", [
          "arn:aws:secretsmanager", local.settings["aws.region"], local.settings["aws.account"], "secret",
          "${split("#", trimprefix(local.settings[key], "secretsmanager:"))[0]}-??????",
        ])
      ]
    }]
  })
}
