package rooms

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/matrix"
)

// perDevice are messages of one request: user, device, content.
type perDevice map[matrix.UserID]map[matrix.DeviceID]json.RawMessage

func (m perDevice) add(to device.Name, content json.RawMessage) {
	if m[to.User] == nil {
		m[to.User] = map[matrix.DeviceID]json.RawMessage{}
	}
	m[to.User][to.Device] = content
}

// body is the body of the request. The contents are JSON as they are: of many devices
// they have some hundred kilobytes, which package json would read once more.
func (m perDevice) body() (json.RawMessage, error) {
	size := 32
	for _, devices := range m {
		for _, content := range devices {
			size += len(content) + 128
		}
	}
	body := append(make([]byte, 0, size), `{"messages":{`...)
	for i, user := range slices.Sorted(maps.Keys(m)) {
		var err error
		if body, err = member(body, i, string(user)); err != nil {
			return nil, err
		}
		body = append(body, '{')
		for k, id := range slices.Sorted(maps.Keys(m[user])) {
			if body, err = member(body, k, string(id)); err != nil {
				return nil, err
			}
			body = append(body, m[user][id]...)
		}
		body = append(body, '}')
	}
	return append(body, `}}`...), nil
}

// member begins an object's member of a name, which is not the first if i is not 0.
func member(object []byte, i int, name string) ([]byte, error) {
	if i > 0 {
		object = append(object, ',')
	}
	text, err := json.Marshal(name)
	return append(append(object, text...), ':'), err
}
