# The shop as one would have defined it for AWS App Mesh: gateway → order → pricing in two versions.

variable "domain" {
  type    = string
  default = "shop.local"
}

variable "canary" {
  description = "Percent of the requests that pricing 2.0.0 gets."
  type        = number
  default     = 10
}

locals {
  hosts = "shop.internal"
}

resource "aws_appmesh_mesh" "shop" {
  name = "shop"

  spec {
    egress_filter {
      type = "DROP_ALL"
    }
  }
}

resource "aws_appmesh_virtual_node" "gateway" {
  name      = "gateway"
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    backend {
      virtual_service {
        virtual_service_name = aws_appmesh_virtual_service.order.name
      }
    }
    listener {
      port_mapping {
        port     = 8080
        protocol = "http"
      }
    }
    service_discovery {
      dns {
        hostname = "gateway.${local.hosts}"
      }
    }
  }
}

resource "aws_appmesh_virtual_node" "order" {
  name      = "order"
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    backend {
      virtual_service {
        virtual_service_name = aws_appmesh_virtual_service.pricing.name
      }
    }
    listener {
      port_mapping {
        port     = 8080
        protocol = "http"
      }
      # Shorter than one would run with, so that a story of a minute shows it.
      outlier_detection {
        max_server_errors    = 5
        max_ejection_percent = 50
        base_ejection_duration {
          unit  = "s"
          value = 3
        }
        interval {
          unit  = "s"
          value = 1
        }
      }
    }
    service_discovery {
      dns {
        hostname      = "order.${local.hosts}"
        response_type = "ENDPOINTS"
      }
    }
  }
}

resource "aws_appmesh_virtual_node" "pricing" {
  for_each  = toset(["v1", "v2"])
  name      = "pricing-${each.key}"
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    listener {
      port_mapping {
        port     = 8080
        protocol = "http"
      }
      outlier_detection {
        max_server_errors    = 5
        max_ejection_percent = 50
        base_ejection_duration {
          unit  = "s"
          value = 2
        }
        interval {
          unit  = "s"
          value = 1
        }
      }
    }
    service_discovery {
      dns {
        hostname      = "pricing-${each.key}.${local.hosts}"
        response_type = "ENDPOINTS"
      }
    }
  }
}

resource "aws_appmesh_virtual_service" "order" {
  name      = "order.${var.domain}"
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    provider {
      virtual_router {
        virtual_router_name = aws_appmesh_virtual_router.order.name
      }
    }
  }
}

resource "aws_appmesh_virtual_router" "order" {
  name      = "order"
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    listener {
      port_mapping {
        port     = 8080
        protocol = "http"
      }
    }
  }
}

resource "aws_appmesh_route" "order" {
  name                = "order"
  mesh_name           = aws_appmesh_mesh.shop.id
  virtual_router_name = aws_appmesh_virtual_router.order.name

  spec {
    http_route {
      match {
        prefix = "/"
      }
      action {
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.order.name
          weight       = 1
        }
      }
      timeout {
        per_request {
          unit  = "s"
          value = 9
        }
      }
    }
  }
}

resource "aws_appmesh_virtual_service" "pricing" {
  name      = "pricing.${var.domain}"
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    provider {
      virtual_router {
        virtual_router_name = aws_appmesh_virtual_router.pricing.name
      }
    }
  }
}

resource "aws_appmesh_virtual_router" "pricing" {
  name      = "pricing"
  mesh_name = aws_appmesh_mesh.shop.id

  spec {
    listener {
      port_mapping {
        port     = 8080
        protocol = "http"
      }
    }
  }
}

resource "aws_appmesh_route" "preview" {
  name                = "preview"
  mesh_name           = aws_appmesh_mesh.shop.id
  virtual_router_name = aws_appmesh_virtual_router.pricing.name

  spec {
    priority = 1
    http_route {
      match {
        prefix = "/"
        header {
          name = "x-tenant"
          match {
            exact = "acme"
          }
        }
      }
      action {
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.pricing["v2"].name
          weight       = 1
        }
      }
      timeout {
        per_request {
          unit  = "s"
          value = 7
        }
      }
    }
  }
}

resource "aws_appmesh_route" "split" {
  name                = "split"
  mesh_name           = aws_appmesh_mesh.shop.id
  virtual_router_name = aws_appmesh_virtual_router.pricing.name

  spec {
    priority = 2
    http_route {
      match {
        prefix = "/"
      }
      action {
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.pricing["v1"].name
          weight       = 100 - var.canary
        }
        weighted_target {
          virtual_node = aws_appmesh_virtual_node.pricing["v2"].name
          weight       = var.canary
        }
      }
      retry_policy {
        max_retries       = 2
        http_retry_events = ["gateway-error"]
        tcp_retry_events  = ["connection-error"]
        per_retry_timeout {
          unit  = "ms"
          value = 1500
        }
      }
      timeout {
        per_request {
          unit  = "s"
          value = 7
        }
      }
    }
  }
}
