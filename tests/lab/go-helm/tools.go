//go:build tools

// Package tools names the commands that the lab builds from this module, so that `go mod tidy` keeps their modules.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
