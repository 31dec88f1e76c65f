// Package proxy is the HTTP side of aclgate: it turns a request on the wire into an input for the
// engine, and what the engine says into a request to the backend or an answer of the gateway's own.
//
// One request is one straight line (serve, in serve.go):
//
//	head → health → shed → preflight → parse → authenticate → limit → regions → scope → decide →
//	resolve → info → read → print → forward → note → respond
//
// Between print and the first byte to the backend the decision is confirmed: if what it rests on has
// moved, the request is judged and printed again (judge.go). While an upload or an answer streams,
// it is looked at still (underway.go).
//
// Each step is a method of a small type that has the settings of its phase, in the phase's file;
// docs/architecture.md names them. It takes the parts of the exchange that it needs and returns
// policy.NotJudged to go on, or the reason why the line ends there. No phase calls another, and
// nothing goes back; TestPhasesKnowNoOther shows it.
//
// What reaches the backend is printed from the typed request: own path, own query, own header
// lines; of the client's bytes only values of an allow list of headers, and a body that was read
// and checked. What reaches the client is either the backend's answer as it came, less what could
// mislead a browser or a cache, or a JSON error in flespi's shape. A panic in one request is a 500
// for that request alone.
package proxy
