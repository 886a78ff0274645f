package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"outferry/internal/logging"
	"outferry/offsets"
	"outferry/pipeline"
)

func newExportCommand() *cobra.Command {
	var a aim
	var toConnect bool
	var server string
	cmd := &cobra.Command{
		Use:   "export NAME",
		Short: "Print a pipeline's position as JSON",
		Long: `Print a pipeline's position as JSON: the offset record, which offsets import reads; or, with --to-connect,
the body of PATCH /connectors/CONNECTOR/offsets of Kafka Connect, for a Debezium connector that shall go on
where this pipeline stopped. The connector must be stopped while it is written, and read the same slot, or the
same server's binary log.

` + aimExits,
		Example: "  outferry offsets export posts --config configs/postgres.yaml > posts.json\n  outferry offsets export posts --to-connect --server blog --config configs/postgres.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if toConnect == (server == "") {
				return &exitError{code: 2, err: errors.New("--to-connect and --server (the connector's topic.prefix) belong together")}
			}
			return a.export(cmd, args[0], toConnect, server)
		},
	}
	a.readFlags(cmd)
	cmd.Flags().BoolVar(&toConnect, "to-connect", false, "in the format of Kafka Connect")
	cmd.Flags().StringVar(&server, "server", "", "the connector's topic.prefix")
	return cmd
}

func (a *aim) export(cmd *cobra.Command, name string, toConnect bool, server string) error {
	cfg, _, err := a.find(name)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	var text []byte
	if toConnect {
		text, err = pipeline.ExportConnect(ctx, cfg, server)
	} else {
		var rec *offsets.Record
		if rec, err = pipeline.Export(ctx, cfg); err == nil {
			text = rec.Marshal()
		}
	}
	if err != nil {
		return a.give(cmd, name, nil, err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "  "); err != nil {
		return &exitError{code: 1, err: fmt.Errorf("print the position: %w", err)}
	}
	fmt.Fprintln(cmd.OutOrStdout(), pretty.String())
	return nil
}

// importOptions say where an imported position comes from.
type importOptions struct {
	fromConnect              bool
	topic, connector, server string
	acceptGap                bool
	text                     []byte
}

func newImportCommand() *cobra.Command {
	var a aim
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import NAME [FILE]",
		Short: "Set a stopped pipeline's position to one that was exported, or to a Debezium connector's",
		Long: `Set a stopped pipeline's position to one that was exported, or to a Debezium connector's.

FILE, or standard input, holds what offsets export printed; with --from-connect, what Kafka Connect answers to
GET /connectors/CONNECTOR/offsets. With --topic and --connector the offset is read from Connect's own topic.
Stop the connector first (PUT /connectors/CONNECTOR/stop), and on PostgreSQL let the pipeline use its slot and
publication. On MySQL and MariaDB an offset is taken that stands at the end of a transaction.

A position is taken only where it is proven that everything before it is published and nothing after it.

` + aimExits,
		Example: "  outferry offsets import posts posts.json --config configs/postgres.yaml\n  outferry offsets import posts --from-connect --topic connect-offsets --connector outbox --config configs/postgres.yaml",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.read(cmd, args[1:]); err != nil {
				return &exitError{code: 2, err: err}
			}
			return a.move(cmd, args[0], nil, func(ctx context.Context, c *pipeline.Claim) (*pipeline.Move, error) { return o.plan(ctx, c, args[0]) })
		},
	}
	a.writeFlags(cmd)
	cmd.Flags().BoolVar(&o.fromConnect, "from-connect", false, "read the format of Kafka Connect")
	cmd.Flags().StringVar(&o.topic, "topic", "", "with --from-connect: Connect's offset.storage.topic, on the pipeline's Kafka")
	cmd.Flags().StringVar(&o.connector, "connector", "", "with --topic: the connector's name")
	cmd.Flags().StringVar(&o.server, "server", "", "with --from-connect: the connector's topic.prefix, where there are several")
	cmd.Flags().BoolVar(&o.acceptGap, "accept-gap", false, "skip rows, where the pipeline already has a position")
	cmd.MarkFlagsRequiredTogether("topic", "connector")
	return cmd
}

// read takes the text from a file or from standard input, where it doesn't come from a topic.
func (o *importOptions) read(cmd *cobra.Command, files []string) (err error) {
	in := cmd.InOrStdin()
	f, isFile := in.(*os.File)
	switch {
	case !o.fromConnect && (o.topic != "" || o.server != ""):
		return errors.New("--topic, --connector and --server go with --from-connect")
	case o.topic != "" && len(files) > 0:
		return errors.New("name a file or --topic, not both")
	case o.topic != "":
		return nil
	case len(files) > 0 && files[0] != "-":
		o.text, err = os.ReadFile(files[0])
		return err
	case isFile && logging.IsTerminal(f):
		return errors.New("name a file, or let another command write to standard input")
	}
	o.text, err = io.ReadAll(io.LimitReader(in, 1<<20))
	return err
}

func (o *importOptions) plan(ctx context.Context, c *pipeline.Claim, name string) (*pipeline.Move, error) {
	if !o.fromConnect {
		rec, err := offsets.Parse(bytes.TrimSpace(o.text), name)
		if err != nil {
			return nil, &exitError{code: 2, err: fmt.Errorf("import: %w", err)}
		}
		return c.PlanRecord(ctx, rec, o.acceptGap)
	}
	var from *offsets.ConnectOffset
	var err error
	if o.topic != "" {
		from, err = c.ConnectOffset(ctx, o.topic, o.connector, o.server)
	} else if from, err = offsets.ParseConnect(o.text, o.server); err != nil {
		err = &exitError{code: 2, err: fmt.Errorf("import: %w", err)}
	}
	if err != nil {
		return nil, err
	}
	return c.PlanConnect(ctx, from, o.acceptGap)
}
