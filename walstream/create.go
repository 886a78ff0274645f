package walstream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
)

// firstStart goes the steps of a pipeline's first start, in the order that leaves no gap and no orphan: the
// publication (a slot older than its publication fails for ever), an intent that is durable in Kafka, the
// slot, the snapshot.
func (h *session) firstStart(ctx context.Context) (*position, error) {
	if err := h.snapshotPossible(ctx); err != nil {
		return nil, err
	}
	if h.cfg.Source.Snapshot == "initial_only" {
		return h.identity(phaseSnapshot), nil
	}
	if err := h.ensurePublication(ctx); err != nil {
		return nil, err
	}
	slot, err := h.slotState(ctx, h.ask, h.version)
	if err != nil {
		return nil, err
	}
	if slot != nil {
		return h.adopt(slot)
	}
	if !h.cfg.Source.Postgres.Create {
		return nil, environment("pg.slot_missing", "run as a role with REPLICATION: "+h.slotFunctionSQL(), "slot %s does not exist and source.postgres.create is false", h.cfg.Source.Postgres.Slot)
	}
	return h.intend(ctx)
}

// intend makes the slot once an intent is durable in Kafka. It says where the publication stood before there was a slot.
func (h *session) intend(ctx context.Context) (*position, error) {
	intent := h.identity(phaseIntent)
	intent.Published = h.published
	if err := h.emit(ctx, intent); err != nil {
		return nil, err
	}
	return h.createSlot(ctx)
}

// adopt starts at a slot that somebody made for us. Where we would have made it ourselves, its presence
// without an offset record means that the record was lost.
func (h *session) adopt(slot *slotState) (*position, error) {
	if err := h.usable(slot); err != nil {
		return nil, err
	}
	name := h.cfg.Source.Postgres.Slot
	if h.cfg.Source.Postgres.Create {
		return nil, lost("pg.slot_without_offset", "if the slot is this pipeline's, go on from it with outferry offsets set NAME --from-slot; if not, choose another source.postgres.slot or drop it",
			fmt.Errorf("first start: slot %s exists, but Kafka has no offset of this pipeline", name))
	}
	return h.afterSlot(slot.confirmed), nil
}

// continueIntent finishes a first start that ended between its steps: the slot, if it is there, is ours.
func (h *session) continueIntent(ctx context.Context, pos *position) (*position, error) {
	if err := h.proveIdentity(pos); err != nil {
		return nil, err
	}
	if err := h.ensurePublication(ctx); err != nil {
		return nil, err
	}
	slot, err := h.slotState(ctx, h.ask, h.version)
	if err != nil {
		return nil, err
	}
	if slot == nil {
		return h.intend(ctx) // anew: what was published before does not matter without a slot
	}
	if err := h.proveIntent(ctx, pos, slot); err != nil {
		return nil, err
	}
	return h.afterSlot(slot.confirmed), nil
}

// proveIntent shows that nothing has hidden rows from the slot since it was made. A snapshot, which is still to come, reads
// them from the tables.
func (h *session) proveIntent(ctx context.Context, pos *position, slot *slotState) error {
	if err := h.usable(slot); err != nil {
		return err
	}
	if h.cfg.Source.Snapshot != "no_data" {
		return nil
	}
	h.published = pos.Published
	return h.publicationCovers(ctx, true)
}

// afterSlot is the position of a slot that has just come into being at the given point.
func (h *session) afterSlot(at lsn) *position {
	pos := h.identity(phaseStream)
	if h.cfg.Source.Snapshot == "initial" {
		pos.Phase = phaseSnapshot
	}
	pos.LSN = at
	return pos
}

func (h *session) createSlotSQL() string {
	options := "EXPORT_SNAPSHOT"
	if h.version >= 150000 {
		options = "(SNAPSHOT 'export')"
		if h.cfg.Source.Postgres.Failover && h.version >= 170000 {
			options = "(SNAPSHOT 'export', FAILOVER true)"
		}
	}
	return fmt.Sprintf("CREATE_REPLICATION_SLOT %s LOGICAL pgoutput %s", quoteIdent(h.cfg.Source.Postgres.Slot), options)
}

// slotFunctionSQL is what a person runs in place of createSlotSQL, which only a replication connection understands.
func (h *session) slotFunctionSQL() string {
	failover := ""
	if h.cfg.Source.Postgres.Failover && h.version >= 170000 {
		failover = ", false, false, true"
	}
	return fmt.Sprintf("SELECT pg_create_logical_replication_slot(%s, 'pgoutput'%s)", quoteLiteral(h.cfg.Source.Postgres.Slot), failover)
}

// createSlot makes the slot. That waits for every transaction that is open now, so it says for whom.
func (h *session) createSlot(ctx context.Context) (*position, error) {
	done := make(chan struct{})
	said := make(chan struct{})
	go func() {
		defer close(said)
		h.sayBlockers(ctx, done)
	}()
	res, err := pglogrepl.ParseCreateReplicationSlot(h.rep.Exec(ctx, h.createSlotSQL()))
	close(done)
	<-said
	if err != nil {
		return nil, h.createFault(sqlState(err), fmt.Errorf("create slot %s: %w", h.cfg.Source.Postgres.Slot, plain(err)))
	}
	var at lsn
	if err := at.UnmarshalText([]byte(res.ConsistentPoint)); err != nil {
		return nil, transient("pg.protocol", "create slot %s: read its consistent point: %w", res.SlotName, err)
	}
	h.exported = res.SnapshotName
	h.log.Info("slot created", "slot", res.SlotName, "lsn", at.String())
	return h.afterSlot(at), nil
}

// createFault sorts an error of making a slot. What says of a slot that it is lost, says here that the server may have none.
func (h *session) createFault(code string, err error) error {
	if code == "53400" || code == "55000" {
		return environment("pg.slots_exhausted", "raise max_replication_slots, which takes a restart of the server, or drop a slot that nobody reads (SELECT slot_name FROM pg_replication_slots WHERE NOT active)", "%w", err)
	}
	return h.streamFault(code, err)
}

func (h *session) sayBlockers(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
		return
	case <-ctx.Done():
		return
	case <-time.After(5 * time.Second):
	}
	rows, err := query(ctx, h.cat, `SELECT who, extract(epoch FROM now() - since)::int FROM (
		SELECT 'pid ' || pid, xact_start FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
		UNION ALL SELECT 'prepared transaction ' || quote_literal(gid), prepared FROM pg_prepared_xacts) t(who, since) ORDER BY since LIMIT 5`)
	if err != nil {
		return
	}
	var who []string
	for _, r := range rows {
		who = append(who, fmt.Sprintf("%s open for %ss", r[0], r[1]))
	}
	h.log.Warn("slot waits for open transactions", "slot", h.cfg.Source.Postgres.Slot, "transactions", strings.Join(who, ", "))
}

// operations is what the publication publishes. Updates only where somebody asked for them and every table
// can: a publication of updates makes an UPDATE of a table without replica identity fail.
func (s *Source) operations(tables []tableState) string {
	if s.cfg.Router.OnUpdate == "ignore" {
		return "insert"
	}
	if unidentified(tables) {
		return "insert"
	}
	return "insert, update"
}

// unidentified reports that UPDATEs of one of the tables fail while updates are published.
func unidentified(tables []tableState) bool {
	return slices.ContainsFunc(tables, func(t tableState) bool { return !t.identity })
}

func (s *Source) createPublicationSQL(tables []tableState) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.sql()
	}
	return fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s WITH (publish = '%s', publish_via_partition_root = true)",
		quoteIdent(s.cfg.Source.Postgres.Publication), strings.Join(names, ", "), s.operations(tables))
}

// ensurePublication makes the publication where it is missing and we may, and adds tables that the file names
// anew; then it checks the rest.
func (h *session) ensurePublication(ctx context.Context) error {
	tables, err := h.tableStates(ctx, h.ask)
	if err != nil {
		return err
	}
	state, err := h.publicationState(ctx, h.ask, h.version)
	if err != nil {
		return err
	}
	if state == nil {
		sql := h.createPublicationSQL(tables)
		if !h.cfg.Source.Postgres.Create {
			return environment("pg.publication_missing", "run as the owner of the tables: "+sql, "publication %s does not exist and source.postgres.create is false", h.cfg.Source.Postgres.Publication)
		}
		switch err := exec(ctx, h.cat, sql); {
		case err == nil, sqlState(err) == "42710", sqlState(err) == "23505": // another instance made it at this moment
		case passes(err):
			return transient("pg.connection", "create publication %s: %w", h.cfg.Source.Postgres.Publication, plain(err))
		default:
			return environment("pg.publication_denied", "run as the owner of the tables, with CREATE on the database: "+sql, "create publication %s: %w", h.cfg.Source.Postgres.Publication, plain(err))
		}
		h.log.Info("publication created", "publication", h.cfg.Source.Postgres.Publication, "publish", h.operations(tables))
	}
	if err := h.publicationCovers(ctx, false); err != nil {
		return err
	}
	return h.spareUpdates(ctx) // a snapshot may come first, and the watch long after it
}
