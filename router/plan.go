package router

import (
	"strings"

	"outferry/configs"
	"outferry/encode"
	"outferry/outbox"
)

// Plan routes the rows of one table shape. It remembers topics and keeps scratch memory, so it is for
// one goroutine.
type Plan struct {
	router *Router
	table  *outbox.Table
	took   string

	id        int
	routeBy   int
	partition int // -1: none
	timestamp int // -1: the commit time
	key       column
	headers   []header // id first
	payload   payload
	envelope  *envelope // nil: the payload alone
	memo      topicMemo
}

// column is a column together with its encoder.
type column struct {
	at  int
	col *outbox.Column
	enc *encode.Encoder
}

type header struct {
	name string
	column
}

func newColumn(t *outbox.Table, at int, form encode.Form) column {
	col := &t.Columns[at]
	return column{at: at, col: col, enc: encode.NewEncoder(form, col)}
}

// Plan resolves the columns that the pipeline file names in one shape of a table.
func (r *Router) Plan(t *outbox.Table) (*Plan, error) {
	f := &finder{table: t, cols: r.cfg.Columns, loose: r.cfg.MatchColumns == "loose"}
	p := &Plan{router: r, table: t, partition: -1, timestamp: -1}
	for _, step := range []func(*finder) error{p.findEvent, p.findRoute, p.findPlacement, p.findTimestamp, p.findHeaders, p.findValue} {
		if err := step(f); err != nil {
			return nil, err
		}
	}
	p.took = strings.Join(f.took, ", ")
	return p, nil
}

// Recognised returns what loose matching took for the names that the file leaves at their defaults.
func (p *Plan) Recognised() string { return p.took }

func (p *Plan) findEvent(f *finder) (err error) {
	if p.id, err = f.require(columnsPath+"id", f.cols.ID); err != nil {
		return err
	}
	key, err := f.require(columnsPath+"key", f.cols.Key)
	if err != nil {
		return err
	}
	p.key = newColumn(p.table, key, p.router.key)
	return nil
}

// findRoute wants text of some sort: a topic can't be made of bytes.
func (p *Plan) findRoute(f *finder) (err error) {
	const option = columnsPath + "route_by"
	if p.routeBy, err = f.require(option, f.cols.RouteBy); err != nil {
		return err
	}
	switch p.table.Columns[p.routeBy].Kind {
	case outbox.Bytes, outbox.Bits, outbox.Array:
		return f.kindFault(option, p.routeBy, "a text type")
	}
	return nil
}

func (p *Plan) findPlacement(f *finder) (err error) {
	const option = columnsPath + "partition"
	if f.cols.Partition == "" || p.router.mayMiss(f, f.cols.Partition) {
		return nil
	}
	if p.partition, err = f.require(option, f.cols.Partition); err != nil {
		return err
	}
	if !encode.IsInteger(p.table.Columns[p.partition].Kind) {
		return f.kindFault(option, p.partition, "an integer type")
	}
	return nil
}

// mayMiss reports whether a placed column is absent and the file says to go without it.
func (r *Router) mayMiss(f *finder, name string) bool {
	return r.cfg.MissingColumn == "ignore" && f.table.Index(name) < 0
}

func (p *Plan) findTimestamp(f *finder) (err error) {
	const option = columnsPath + "timestamp"
	if f.cols.Timestamp == "" {
		return nil
	}
	if p.timestamp, err = f.require(option, f.cols.Timestamp); err != nil {
		return err
	}
	if !encode.TakesTime(p.table.Columns[p.timestamp].Kind) {
		return f.kindFault(option, p.timestamp, "a date or timestamp type, or an integer type that holds milliseconds since 1970")
	}
	return nil
}

func (p *Plan) findHeaders(f *finder) error {
	p.headers = append(p.headers, header{name: "id", column: newColumn(p.table, p.id, p.router.headers)})
	return p.eachPlaced(f, "router.headers.", p.router.cfg.Headers, func(name string, at int) {
		p.headers = append(p.headers, header{name: name, column: newColumn(p.table, at, p.router.headers)})
	})
}

// eachPlaced calls do for every placement whose column is there.
func (p *Plan) eachPlaced(f *finder, option string, placements []configs.Placement, do func(name string, at int)) error {
	for _, placed := range placements {
		if p.router.mayMiss(f, placed.Column) {
			continue
		}
		at, err := f.require(option+placed.Name, placed.Column)
		if err != nil {
			return err
		}
		do(placed.Name, at)
	}
	return nil
}

func (p *Plan) findValue(f *finder) error {
	at, err := f.require(columnsPath+"payload", f.cols.Payload)
	if err != nil {
		return err
	}
	p.payload = p.router.newPayload(p.table, at)
	version := -1
	if f.cols.SchemaVersion != "" {
		const option = columnsPath + "schema_version"
		if version, err = f.require(option, f.cols.SchemaVersion); err != nil {
			return err
		}
		if !encode.IsInteger(p.table.Columns[version].Kind) {
			return f.kindFault(option, version, "an integer type")
		}
	}
	// It stays an envelope even where every field is missing and ignored.
	if len(p.router.cfg.Envelope) == 0 {
		return nil
	}
	p.envelope = newEnvelope(p.table, p.router.value == encode.JSONSchema, version)
	err = p.eachPlaced(f, "router.envelope.", p.router.cfg.Envelope, func(name string, at int) {
		p.envelope.add(name, newColumn(p.table, at, encode.JSON))
	})
	return err
}
