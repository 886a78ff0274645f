package configs

// AnyRoute is the pattern that every value matches.
const AnyRoute = "(?<routedByValue>.*)"

func routerOptions(r *Router) []Option {
	options := columnOptions(&r.Columns)
	options = append(options, topicOptions(r)...)
	options = append(options, placementOptions(r)...)
	return append(options, payloadOptions(r)...)
}

func columnOptions(c *Columns) []Option {
	return []Option{
		{Path: "router.columns.id", Default: "id", into: &c.ID,
			Debezium: []string{"table.field.event.id"}, Doc: "Column of the event id, which becomes the header `id`."},
		{Path: "router.columns.key", Default: "aggregateid", into: &c.Key,
			Debezium: []string{"table.field.event.key", "table.field.event.payload.id"}, Doc: "Column of the record key."},
		{Path: "router.columns.route_by", Default: "aggregatetype", into: &c.RouteBy,
			Debezium: []string{"route.by.field"}, Doc: "Column that the topic is made of."},
		{Path: "router.columns.payload", Default: "payload", into: &c.Payload,
			Debezium: []string{"table.field.event.payload"}, Doc: "Column of the payload."},
		{Path: "router.columns.timestamp", Example: "created_at", into: &c.Timestamp,
			Debezium: []string{"table.field.event.timestamp"}, Doc: "Column of the record's time; empty: the commit time."},
		{Path: "router.columns.schema_version", Example: "version", into: &c.SchemaVersion,
			Debezium: []string{"table.field.event.schema.version"}, Doc: "Column of the envelope schema's version; empty: none."},
		{Path: "router.columns.partition", Example: "part", into: &c.Partition,
			Doc: "Column of the partition number; empty: by the key, as a Java producer would."},
	}
}

func topicOptions(r *Router) []Option {
	return []Option{
		{Path: "router.match_columns", Default: "loose", Words: []string{"loose", "exact"}, into: &r.MatchColumns,
			Doc: "loose: a column name that the file left at its default also matches aggregate_id or aggregateId; exact: byte for byte."},
		{Path: "router.topic_pattern", Default: AnyRoute, into: &r.TopicPattern,
			Debezium: []string{"route.topic.regex"},
			Doc:      "RE2 expression that the routing value must match as a whole; where it does not, the value itself is the topic. Java's named groups are understood, look-around is not."},
		{Path: "router.topic", Default: "outbox.event.${routedByValue}", into: &r.Topic,
			Debezium: []string{"route.topic.replacement"},
			Doc:      "Topic, with `${group}` and `$1` as in a Java replacement."},
		{Path: "router.topics_allowed", Example: `"outbox\\.event\\..*"`, into: &r.TopicsAllowed,
			Doc: "RE2 expression that a routed topic must match as a whole; empty: any. Internal topics and the offsets topic never are."},
	}
}

func placementOptions(r *Router) []Option {
	return []Option{
		{Path: "router.headers", Example: "{eventType: type}", into: &r.Headers,
			Debezium: []string{"table.fields.additional.placement"}, Doc: "Further columns as record headers, `{header: column}`, in this order."},
		{Path: "router.envelope", Example: "{eventType: type}", into: &r.Envelope,
			Doc: "Further columns beside the payload in the value, `{field: column}`, in this order. The value then is an object with the payload in the field `payload`."},
		{Path: "router.missing_column", Default: "error", Words: []string{"error", "ignore"}, into: &r.MissingColumn,
			Debezium: []string{"table.field.additional.missing", "table.fields.additional.error.on.missing"},
			Doc:      "When the table lacks a column of headers, envelope or partition: stop, or go without it."},
	}
}

func payloadOptions(r *Router) []Option {
	return []Option{
		{Path: "router.expand_json", Default: "false", into: &r.ExpandJSON,
			Debezium: []string{"table.expand.json.payload"}, Doc: "Read the payload as JSON and publish it with a structure, not as text."},
		{Path: "router.json_null", Default: "ignore", Words: []string{"ignore", "optional_bytes"}, into: &r.JSONNull,
			Debezium: []string{"table.json.payload.null.behavior"}, Doc: "With expand_json: leave out a member that is null, or keep it."},
		{Path: "router.json_empty_array", Default: "ignore", Words: []string{"ignore", "optional_string"}, into: &r.JSONEmptyArray,
			Debezium: []string{"table.json.payload.empty.array.behavior"}, Doc: "With expand_json: leave out an empty array, or keep it as an array of texts."},
		{Path: "router.tombstone_on_empty_payload", Default: "false", into: &r.TombstoneOnEmptyPayload,
			Debezium: []string{"route.tombstone.on.empty.payload"}, Doc: "A NULL or empty payload becomes a tombstone, a record without value."},
		{Path: "router.on_update", Default: "warn", Words: []string{"ignore", "warn", "stop"}, into: &r.OnUpdate,
			Debezium: []string{"table.op.invalid.behavior", "debezium.op.invalid.behavior"}, Doc: "An UPDATE of an outbox row: passed over, counted and logged, or the end of the pipeline. It is never published."},
	}
}

func encodingOptions(e *Encoding) []Option {
	return []Option{
		{Path: "encoding.key", Default: "string", Words: []string{"string", "json", "json_with_schema", "bytes"}, into: &e.Key,
			Debezium: []string{"key.converter", "key.converter.schemas.enable"}, Client: []string{"key.serializer"}, Doc: "Form of the record key."},
		{Path: "encoding.value", Default: "auto", Words: []string{"auto", "string", "json", "json_with_schema", "bytes"}, into: &e.Value,
			Debezium: []string{"value.converter", "value.converter.schemas.enable"}, Client: []string{"value.serializer"}, Doc: "Form of the record value; auto follows from the payload: text as it is, structure as JSON, bytes as they are."},
		{Path: "encoding.headers", Default: "string", Words: []string{"string", "json"}, into: &e.Headers,
			Debezium: []string{"header.converter"}, Doc: "Form of header values."},
	}
}
