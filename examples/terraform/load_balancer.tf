resource "aws_ecs_cluster" "this" {
  name = local.settings["service.cluster"]
}

resource "aws_security_group" "load_balancer" {
  name   = local.settings["service.load_balancer"]
  vpc_id = var.vpc_id
  ingress {
    protocol    = "tcp"
    from_port   = local.settings["service.production_listener_port"]
    to_port     = local.settings["service.production_listener_port"]
    cidr_blocks = ["0.0.0.0/0"]
  }
  ingress {
    protocol    = "tcp"
    from_port   = local.settings["service.test_listener_port"]
    to_port     = local.settings["service.test_listener_port"]
    cidr_blocks = [local.settings["infrastructure.test_cidr"]]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

# The tasks' security group: write its id into service.security_groups.
resource "aws_security_group" "tasks" {
  name   = "${local.settings["service.name"]}-tasks"
  vpc_id = var.vpc_id
  ingress {
    protocol        = "tcp"
    from_port       = local.settings["service.container_port"]
    to_port         = local.settings["service.container_port"]
    security_groups = [aws_security_group.load_balancer.id]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "this" {
  name                       = local.settings["service.load_balancer"]
  load_balancer_type         = "application"
  subnets                    = var.public_subnets
  security_groups            = [aws_security_group.load_balancer.id]
  enable_deletion_protection = local.settings["infrastructure.protection"] == "true"
}

resource "aws_lb_target_group" "this" {
  for_each             = toset(local.settings["service.target_groups"])
  name                 = each.key
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = local.settings["service.container_port"]
  vpc_id               = var.vpc_id
  deregistration_delay = 30
  health_check {
    path                = local.settings["smoke.health_path"]
    healthy_threshold   = 2
    unhealthy_threshold = local.settings["rollback.failed_health_checks"]
  }
}

resource "aws_lb_listener" "this" {
  for_each = {
    production = local.settings["service.production_listener_port"]
    test       = local.settings["service.test_listener_port"]
  }
  load_balancer_arn = aws_lb.this.arn
  port              = each.value
  protocol          = local.https ? "HTTPS" : "HTTP"
  certificate_arn   = local.https ? var.certificate_arn : null
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "Not found"
      status_code  = "404"
    }
  }
}

# A rule for each listener. ECS rewrites their weights at every deployment.
resource "aws_lb_listener_rule" "this" {
  for_each     = aws_lb_listener.this
  listener_arn = each.value.arn
  priority     = 1
  condition {
    path_pattern {
      values = ["/*"]
    }
  }
  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.this[local.blue].arn
        weight = 100
      }
      target_group {
        arn    = aws_lb_target_group.this[local.green].arn
        weight = 0
      }
    }
  }
  lifecycle {
    ignore_changes = [action] # without this, an apply would send the traffic back to the first target group
  }
}

resource "aws_appautoscaling_target" "this" {
  count              = var.service_exists ? 1 : 0
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${local.settings["service.name"]}"
  min_capacity       = local.settings["infrastructure.min_tasks"]
  max_capacity       = local.settings["infrastructure.max_tasks"]
}

resource "aws_appautoscaling_policy" "cpu" {
  count              = var.service_exists ? 1 : 0
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id
  target_tracking_scaling_policy_configuration {
    target_value = local.settings["infrastructure.scaling_cpu_percent"]
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

# There is no aws_ecs_service and no aws_ecs_task_definition: releases own them. If you keep the service here all the
# same, it needs lifecycle { ignore_changes = [task_definition, desired_count, load_balancer, deployment_configuration] }.
