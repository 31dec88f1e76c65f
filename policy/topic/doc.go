// Package topic decides who may subscribe to, publish and be shown which MQTT topic (SPEC 16.4).
//
// It is pure, as package policy is, and has no law of its own for items: what a platform topic shows
// is what a GET would show, and the engine of package policy decides about that GET. There is one
// parser of topics, one of filters, and one table that leads from topics to GETs.
//
// The rules:
//
//   - A topic whose first level is flespi is a platform topic. The table in
//     families.go says which there are; the set is closed, and so is every topic
//     that is not in it, and all that begin with $, to everybody.
//   - Any other is an own topic. mqtt entries are grants: one that covers the
//     topic with the action is enough. They never reach platform topics.
//   - A filter is narrowed before it is subscribed to (Judge.Subscribe), which
//     saves the traffic; every delivery is judged again (Judge.Deliver), which
//     carries the promise. Neither replaces the other.
//   - What is printed is read again as a filter of its own, and has to be a part
//     of the permit. Tolerated is what is closed to everybody, the name of a
//     submodule among an item's properties, and what of other accounts is linked
//     to an item by grants: deliveries keep it back.
//
// How a session uses it:
//
//	law := topic.New(topic.Options{Engine: engine, Dialect: …, Namespace: …})  // once per settings
//	permit := law.Permit(token)                                                // once per token and revision
//	judge := topic.NewJudge(permit)                                            // once per session
//
//	judge.At, judge.Tree, judge.Items = now, tree, items  // before each call: what is in force, and
//	judge.Revision = n                                    // another n whenever that is another
//	judge.Source, judge.Origin = addr, origin             // once
//
//	judge.Deliver(topic, cid)                    // each PUBLISH of the broker
//	judge.Publish(topic, cid)                    // each PUBLISH of the client, and
//	judge.Response(topic)                        // its response topic
//	judge.Will(topic, response, cid)             // at CONNECT
//	judge.Subscribe(&s, filter, cid, room)       // each filter of a SUBSCRIBE
//
// All of them return a policy.Reason: Permitted, or why not. Granted says which reasons of Subscribe
// are a granted code, Code which MQTT 5 code the others are. When the policy changes, SetPermit puts
// the new permit in force, between two calls; when Permit.Fingerprint changed, the session ends.
//
// Of a Subscription, Printed goes to the broker, every filter of it with one identifier, but those
// that overlap an earlier one: a broker may send a copy for each, and the session shows the copy of
// the first filter that matches (Matches). With CID the client asked for that account alone: a
// delivery through this subscription is also held to the broker's cid or, where the broker knows
// none, to Judge.Account. Narrowing is to what is there now: where Moves says so, Subscribe is called
// again when items, groups or accounts have changed, and says what to subscribe to then.
//
// Where accounts are told apart by path, own topics have another name at the broker: AppendPath writes
// it, for topics, wills and response topics, and Judge.Shown is what a client is shown of a delivery.
// What Subscribe prints has it already.
//
// A Judge is for one goroutine; Law and Permit are immutable and shared. Judging a delivery or a
// publish allocates nothing, but for the first delivery at a revision to a token whose rights come
// through groups.
package topic
