//go:build programs

// Package cluster names the programs that `npm run check-cluster` builds, so that go.mod has what they need.
package cluster

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
