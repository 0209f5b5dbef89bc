package stored

import "encoding/json"

// Told counts the devices that the bodies of to-device requests went to.
func Told[Body ~[]byte](bodies []Body) (n int, err error) {
	for _, body := range bodies {
		var asked struct {
			Messages map[string]map[string]json.RawMessage
		}
		if err := json.Unmarshal(body, &asked); err != nil {
			return 0, err
		}
		for _, devices := range asked.Messages {
			n += len(devices)
		}
	}
	return n, nil
}
