package cli

import (
	"context"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
)

const logFlag = "log"

// levels are what --log takes.
var levels = []string{"debug", "info", "warn", "error"}

// BindLog gives a command and all below it --log. [StartLog] reads it.
func BindLog(root *cobra.Command) {
	root.PersistentFlags().String(logFlag, "", "write what the stores log to standard error, as JSON, from this level on: "+strings.Join(levels, ", "))
}

// StartLog puts the logger that --log asks for into the command's context.
func StartLog(cmd *cobra.Command) error {
	name := logLevel(cmd)
	if name == "" {
		return nil
	}
	if !slices.Contains(levels, name) {
		return Usagef("--%s %q: want one of %s", logFlag, name, strings.Join(levels, ", "))
	}
	level, err := zapcore.ParseLevel(name)
	if err != nil {
		return err // not for these names
	}
	cmd.SetContext(context.WithValue(cmd.Context(), loggerKey{}, newLogger(cmd.ErrOrStderr(), level)))
	return nil
}

func logLevel(cmd *cobra.Command) string {
	if f := cmd.Flag(logFlag); f != nil {
		return f.Value.String()
	}
	return ""
}

// newLogger returns a logger that writes a line of JSON for each record: some of
// what an engine has to say has several lines.
func newLogger(w io.Writer, level zapcore.Level) *slog.Logger {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(config), zapcore.Lock(zapcore.AddSync(shownWriter{w})), level)
	// No stack: where in the store it was is of no use to who runs a command.
	return slog.New(zapslog.NewHandler(core, zapslog.AddStacktraceAt(slog.Level(math.MaxInt))))
}

type loggerKey struct{}

// Logger returns the logger of a command's context. Without --log it discards.
func Logger(ctx context.Context) *slog.Logger {
	if log, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok {
		return log
	}
	return slog.New(slog.DiscardHandler)
}

// LogArguments returns what makes another process of this program log as this
// one does; nil if it does not.
func LogArguments(cmd *cobra.Command) []string {
	if level := logLevel(cmd); level != "" {
		return []string{"--" + logFlag, level}
	}
	return nil
}
