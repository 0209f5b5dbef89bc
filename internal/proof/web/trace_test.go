package web

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
)

// wasmEvents counts, by name, what Chromium tells of its work on WebAssembly while do runs.
func wasmEvents(t *testing.T, b *Browser, do func()) map[string]int {
	t.Helper()
	count, complete := make(map[string]int), make(chan struct{})
	ctx, end := context.WithCancel(b.ctx)
	defer end()
	err := chromedp.ListenBrowser(ctx, func(e any) {
		switch e := e.(type) {
		case *tracing.EventDataCollected:
			for _, v := range e.Value {
				var event struct{ Name string }
				if json.Unmarshal(v, &event) == nil && strings.HasPrefix(event.Name, "v8.wasm.") {
					count[event.Name]++
				}
			}
		case *tracing.EventTracingComplete:
			close(complete)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	config := &tracing.TraceConfig{IncludedCategories: []string{"disabled-by-default-devtools.timeline"}}
	if _, err := chromedp.CallBrowser(b.ctx, tracing.Start, tracing.StartParams{TraceConfig: config}); err != nil {
		t.Fatal(err)
	}
	do()
	if _, err := chromedp.CallBrowser(b.ctx, tracing.End, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	<-complete
	return count
}
