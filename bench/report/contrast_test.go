package report

import (
	"math"
	"strconv"
	"testing"
)

// luminance is WCAG's relative luminance of "#rrggbb".
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func expectContrast(t *testing.T, hex string, page, least float64) {
	t.Helper()
	l := luminance(t, hex)
	if ratio := (max(l, page) + 0.05) / (min(l, page) + 0.05); ratio < least {
		t.Errorf("%s has a contrast of %.2f to the page, want %.1f", hex, ratio, least)
	}
}
