// Package sequences reads and plays the packet sequences of Eclipse Mosquitto's own tests: bytes
// that a client sends, packets that have to come back, and whether the connection has to end.
//
// The data are not part of the repository. Find says where they are, if they are anywhere.
package sequences

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Variable names the environment variable with the folder of the sequences.
const Variable = "MQTT_SEQUENCES"

// ErrMissing says that there are no sequences here.
var ErrMissing = errors.New("no packet sequences: set " + Variable + " to the folder of mosquitto's test/broker/data")

// Test is one sequence.
type Test struct {
	File, Group, Name string

	Version    byte // protocol level of the CONNECT that precedes the steps
	Connect    bool // a plain CONNECT precedes them; else the test sends its own, or none
	Disconnect bool // the connection has to end
	Steps      []Step
}

// String returns the test's full name.
func (t Test) String() string { return t.File + "/" + t.Group + "/" + t.Name }

// Kind is what happens in a step.
type Kind uint8

// The kinds.
const (
	Send    Kind = iota // the client sends bytes
	Receive             // the client gets a packet
	Publish             // somebody else publishes a message
)

// Step is one step of a test.
type Step struct {
	Kind  Kind
	Bytes []byte // of Send and Receive

	Topic, Payload string // of Publish
	QoS            byte
}

// Find returns the folder of the sequences: that of the environment, or the one that lies beside
// the repository.
func Find() (string, error) {
	if dir := os.Getenv(Variable); dir != "" {
		return dir, nil
	}
	root, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; root != filepath.Dir(root); root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
	}
	dir := filepath.Join(root, "..", "shared", "cases", "mqtt", "sequences")
	if _, err := os.Stat(dir); err != nil {
		return "", ErrMissing
	}
	return dir, nil
}

// The form of the files.
type (
	group struct {
		Group   string
		Ver     byte
		Connect *bool
		Tests   []test
	}
	test struct {
		Name             string
		Ver              byte
		Connect          *bool
		ExpectDisconnect *bool `json:"expect_disconnect"`
		Msgs             []struct {
			Type, Payload, Topic string
			QoS                  byte
		}
	}
)

// Load reads all sequences, in the order of files.
func Load(dir string) ([]Test, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, ErrMissing
	}
	slices.Sort(files)
	var all []Test
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var groups []group
		if err := json.Unmarshal(data, &groups); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", path, err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		for _, g := range groups {
			for _, raw := range g.Tests {
				t, err := raw.test(name, g)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", path, raw.Name, err)
				}
				all = append(all, t)
			}
		}
	}
	return all, nil
}

func (raw test) test(file string, g group) (Test, error) {
	t := Test{File: file, Group: g.Group, Name: strings.TrimSpace(raw.Name), Version: g.Ver, Connect: true, Disconnect: true}
	if raw.Ver != 0 {
		t.Version = raw.Ver
	}
	for _, connect := range []*bool{g.Connect, raw.Connect} {
		if connect != nil {
			t.Connect = *connect
		}
	}
	if raw.ExpectDisconnect != nil {
		t.Disconnect = *raw.ExpectDisconnect
	}
	for _, m := range raw.Msgs {
		step := Step{Topic: m.Topic, QoS: m.QoS}
		var err error
		switch m.Type {
		case "external_publish":
			step.Kind, step.Payload = Publish, m.Payload
		case "recv":
			step.Kind = Receive
			step.Bytes, err = Bytes(m.Payload)
		case "send":
			step.Bytes, err = Bytes(m.Payload)
		default:
			err = fmt.Errorf("unknown kind of message %q", m.Type)
		}
		if err != nil {
			return Test{}, err
		}
		t.Steps = append(t.Steps, step)
	}
	return t, nil
}

// Bytes reads the notation of the sequences: hex bytes; 'text'; a letter with a number: r and v
// variable integers, s, k, m and H two bytes, L four, i one.
func Bytes(notation string) ([]byte, error) {
	var out []byte
	for rest := strings.TrimSpace(notation); rest != ""; rest = strings.TrimSpace(rest) {
		if rest[0] == '\'' {
			text, after, found := strings.Cut(rest[1:], "'")
			if !found {
				return nil, fmt.Errorf("text without end in %q", notation)
			}
			out, rest = append(out, text...), after
			continue
		}
		end := strings.IndexAny(rest, " '")
		if end < 0 {
			end = len(rest)
		}
		var err error
		if out, err = appendWord(out, rest[:end]); err != nil {
			return nil, fmt.Errorf("%w in %q", err, notation)
		}
		rest = rest[end:]
	}
	return out, nil
}

func appendWord(out []byte, word string) ([]byte, error) {
	if !strings.ContainsAny(word[:1], "rvskmHLi") {
		b, err := hex.DecodeString(word)
		return append(out, b...), err
	}
	n, err := strconv.ParseUint(word[1:], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("unknown word %q", word)
	}
	switch word[0] {
	case 'r', 'v':
		for ; n >= 0x80; n >>= 7 {
			out = append(out, byte(n)|0x80)
		}
		return append(out, byte(n)), nil
	case 'i':
		return append(out, byte(n)), nil
	case 'L':
		return binary.BigEndian.AppendUint32(out, uint32(n)), nil
	}
	return binary.BigEndian.AppendUint16(out, uint16(n)), nil
}
