package binlog

import (
	"context"

	"outferry/outbox"
)

// Look asks the server whether the pipeline could run, without a trace on it: Busy while somebody else reads
// under our number, Transient for what comes by itself, Environment for what a person must set. It returns
// the tables as they are now.
func (s *Source) Look(ctx context.Context) ([]*outbox.Table, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer closing(ctx, c)()
	srv, err := askServer(c)
	if err != nil {
		return nil, err
	}
	if err := s.preflight(ctx, c, srv); err != nil {
		return nil, err
	}
	if err := s.lookForOthers(c); err != nil {
		return nil, err
	}
	if err := srv.readCharsets(c); err != nil {
		return nil, err
	}
	var out []*outbox.Table
	for _, t := range s.tables(srv) {
		columns, err := columnsOf(c, t)
		if err != nil {
			return nil, err
		}
		out = append(out, s.tableOf(srv, t, columns))
	}
	return out, nil
}

// tableOf describes a table as the log would, as far as the catalog can say: for a look, and for snapshots.
func (s *Source) tableOf(srv *server, t tableName, columns []catalogColumn) *outbox.Table {
	out := &outbox.Table{Schema: t.schema, Name: t.name}
	for _, c := range columns {
		out.Columns = append(out.Columns, s.columnOf(srv, c))
	}
	return out
}
