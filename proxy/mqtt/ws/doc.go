// Package ws is the WebSocket door of MQTT (SPEC 16.7): it checks the head of an upgrade, answers
// it, and gives a connection that reads and writes MQTT.
//
// The head is read by package head, as strictly as every other. Subprotocol mqtt or mqttv3.1, path
// / or /mqtt, no extensions. Frames are read and masked by github.com/gobwas/ws; a frame that RFC
// 6455 forbids, or a text frame (MQTT 5, 6.0), ends the connection with the code for it. A packet
// may be cut into frames in any way, and a frame may hold several. Payload is handed on as it
// arrives: a frame takes no memory by being long.
package ws
