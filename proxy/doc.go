// Package proxy is the HTTP side of aclgate: it turns a request on the wire
// into a case for the engine, and what the engine says into a request to the backend
// or an answer of the gateway's own.
//
// One request is one straight line (serve, in gateway.go):
//
//	head → shed → parse → preflight → authenticate → limit → scope → decide → resolve → own →
//	body → print → forward → learn → deliver
//
// Each step is one method of Gateway that returns policy.NotJudged to go on, or
// the reason why the line ends there. Everything a step leaves behind stands in
// the call. Nothing goes back.
//
// What reaches the backend is printed from the typed request: own path, own
// query, own header lines; of the client's bytes only values of an allow list
// of headers, and a body that was read and checked. What reaches the client is
// either the backend's answer as it came, less what could mislead a browser or
// a cache, or a JSON error in flespi's shape. A panic in one request is a 500
// for that request alone.
package proxy
