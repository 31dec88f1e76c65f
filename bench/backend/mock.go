package backend

import "strconv"

// mock is the text of a made-up message with holes where its time goes.
type mock struct {
	text  []byte
	holes []int // offsets of ten digits
}

// timeHole is a placeholder for the time while a mock is printed; ten digits, as every time that
// goes there.
const timeHole = "0000000000"

// newMock prints one row of an item. The names are in order, as everywhere.
func newMock(key string, it *item, logs bool, shown *projection) mock {
	idName := key + ".id"
	id := field{name: idName, json: strconv.AppendInt(nil, it.id, 10)}
	at := field{name: "timestamp", json: []byte(timeHole)}
	fields := []field{id,
		{name: "ident", json: []byte(`"` + demoIdent + `"`)},
		{name: "position.latitude", json: []byte("54.687155")},
		{name: "position.longitude", json: []byte("25.279652")},
		{name: "position.speed", json: []byte("42")},
		{name: "server.timestamp", json: at.json},
		at,
	}
	if logs {
		event := field{name: "event_code", json: []byte("1")}
		fields = []field{event, {name: "item_id", json: id.json}, at}
	}
	m := mock{text: []byte{'{'}}
	for _, f := range fields {
		if !shown.has(f.name) {
			continue
		}
		if len(m.text) > 1 {
			m.text = append(m.text, ',')
		}
		m.text = append(appendString(m.text, f.name), ':')
		if string(f.json) == timeHole {
			m.holes = append(m.holes, len(m.text))
		}
		m.text = append(m.text, f.json...)
	}
	m.text = append(m.text, '}')
	return m
}

// appendRow prints the row of time at, which has ten digits.
func (m *mock) appendRow(dst []byte, at int64) []byte {
	start := len(dst)
	dst = append(dst, m.text...)
	for _, hole := range m.holes {
		strconv.AppendInt(dst[:start+hole], at, 10)
	}
	return dst
}
