package mqtt

import (
	"testing"

	fake "aclgate/bench/broker"
	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// TestPath: on a broker that knows no accounts, equal topics of two accounts are two topics,
// retained ones, wills and response topics too, and the account above sees both.
func TestPath(t *testing.T) {
	w, f := fakeWorld(t, func(o *Options) {
		o.Law = topic.New(topic.Options{Engine: o.Engine, Namespace: topic.ByPath, Prefix: "acc", Depth: 3})
	})
	child := w.acl(20, policy.Publish|policy.Subscribe, "x/#", 7)
	child.CID = 11
	w.set("child-key", child)
	sibling := w.acl(21, policy.Publish|policy.Subscribe, "x/#", 7)
	sibling.CID = 12
	w.set("sibling-key", sibling)
	named := func(id string) func(*wire.Connect) { return func(c *wire.Connect) { c.ClientID = []byte(id) } }

	one, two := w.dial(wire.V5, "child-key", named("one")), w.dial(wire.V5, "sibling-key", named("one"))
	one.want("CONNACK 0x00 <nil>")
	two.want("CONNACK 0x00 <nil>")
	m := wire.Publish{QoS: 1, ID: 1, Retain: true, Topic: []byte("x/t"), Payload: []byte("of 11")}
	m.Properties.SetText(wire.ResponseTopic, []byte("x/answer"))
	one.send(&m)
	one.want("PUBACK 1 0x10 <nil>")
	all := f.Received()
	if got := all[len(all)-1].Topic; got != "acc/1/11/-/x/t" {
		t.Errorf("at the broker: %s", got)
	}
	two.subscribe(1, 5, "x/#")
	two.want("SUBACK 1 [0x01] <nil>")
	two.silent()
	again := w.dial(wire.V5, "child-key", named("again"))
	again.want("CONNACK 0x00 <nil>")
	again.subscribe(1, 5, "x/#")
	again.want("SUBACK 1 [0x01] <nil>")
	if got := again.publishOf(t); string(got.Topic) != "x/t" || string(got.Properties.Text(wire.ResponseTopic)) != "x/answer" ||
		len(got.Properties.User) != 1 || string(got.Properties.User[0].Value) != "11" || len(got.Properties.IDs) != 1 {
		t.Errorf("shown: %+v", got)
	}
	above := w.dial(wire.V5, "master-key", named("above"))
	above.want("CONNACK 0x00 <nil>")
	above.subscribe(1, 6, "x/#")
	above.want("SUBACK 1 [0x01] <nil>")
	above.want("PUBLISH x/t=of 11 [6]")
	// Whoever writes to the shared broker by another way cannot get a foreign account's path shown.
	f.Publish(fake.Message{Topic: "acc/1/12/-/x/y", Payload: "of 12"})
	two.want("PUBLISH x/y=of 12 [5]")
	above.want("PUBLISH x/y=of 12 [6]")
	again.silent()
}

// publishOf reads the next packet, a PUBLISH.
func (p *peer) publishOf(t *testing.T) *wire.Publish {
	t.Helper()
	f, err := p.r.Next()
	var m wire.Publish
	if err == nil {
		err = m.Parse(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &m
}
