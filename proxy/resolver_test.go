package proxy

import (
	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream/index"
)

// withResolver gives the gateway a resolver on its own transport.
func withResolver(o *Options, engine *policy.Engine, _ *head.Config) {
	o.Resolver = index.NewResolver(index.ResolverOptions{
		Backend: o.Backend, Key: o.Key, Mode: engine.Mode, MaxTarget: o.MaxURL,
	})
}
