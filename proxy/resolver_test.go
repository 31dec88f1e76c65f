package proxy

import (
	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// withResolver gives the gateway a resolver on its own transport.
func withResolver(o *Options, law *policy.Law, _ *head.Config) {
	o.Resolver = upstream.NewResolver(upstream.ResolverOptions{
		Backend: o.Backend, Key: o.Key, Mode: law.Mode, MaxTarget: o.MaxURL,
	})
}
