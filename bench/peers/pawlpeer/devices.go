package pawlpeer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"

	_ "github.com/ncruces/go-sqlite3/driver" // "sqlite3"

	"github.com/pawlkv/pawl/bench/peers/stored"
)

// deviceList is a client's list of devices: Pawl keeps none yet, and the other
// systems read theirs from a database when they write to a device.
type deviceList struct {
	db *sql.DB
}

func openDeviceList(ctx context.Context, dir string) (*deviceList, error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "devices.db")+"?_pragma=journal_mode(wal)")
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS device (user TEXT, id TEXT, device TEXT, PRIMARY KEY (user, id)) WITHOUT ROWID`)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &deviceList{db}, nil
}

func (l *deviceList) put(ctx context.Context, devices []stored.Device) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing once it is committed
	for _, d := range devices {
		text, err := json.Marshal(d)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO device VALUES (?, ?, ?)`, string(d.User), string(d.ID), text); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// get reads one device, as it was put.
func (l *deviceList) get(ctx context.Context, of stored.Device) (d stored.Device, err error) {
	var text []byte
	err = l.db.QueryRowContext(ctx, `SELECT device FROM device WHERE user = ? AND id = ?`, string(of.User), string(of.ID)).Scan(&text)
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(text, &d)
}

func (l *deviceList) close() error { return l.db.Close() }
