package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"outferry/pipeline"
)

func newShowCommand() *cobra.Command {
	var a aim
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show where a pipeline stands and whether it can go on from there",
		Long: `Show where a pipeline stands and whether it can go on from there: position, lag, slot or binary log, and
the fault that a start would stop with. It changes nothing and works while the pipeline runs. Where the database or
Kafka can't be had, the rest is shown and the exit code is 3.

` + aimExits,
		Example: "  outferry offsets show posts --config configs/postgres.yaml\n  outferry offsets show posts -o json --config configs/postgres.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := a.find(args[0])
			if err != nil {
				return err
			}
			ctx, stop := interruptible(cmd)
			defer stop()
			s := pipeline.Stand(ctx, cfg)
			err = give(cmd, a.output, standing{s, cfg.Source.Type != "postgres"}, s.Err())
			if exit, ok := err.(*exitError); ok {
				exit.err = nil // the table says it
			}
			return err
		},
	}
	a.readFlags(cmd)
	a.outputFlag(cmd)
	return cmd
}

// standing prints a pipeline.Standing: one fact a line, - for what is not known.
type standing struct {
	*pipeline.Standing
	ofLog bool // of MySQL or MariaDB
}

func (s standing) table(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	line := func(name, value string) { fmt.Fprintf(w, "%s\t%s\n", name, value) }
	line("PIPELINE", s.Pipeline)
	s.position(line)
	line("LAG", s.lag())
	if s.ofLog {
		line("LOG", s.log())
	} else {
		line("SLOT", s.slot())
	}
	if len(s.Running) > 0 {
		line("RUNNING", strings.Join(s.Running, "; "))
	}
	line("CAN GO ON", s.verdict())
	for _, v := range s.Missing {
		line("UNREACHABLE", said(v))
	}
}

func (s standing) position(line func(name, value string)) {
	r := s.Record
	if r == nil {
		line("POSITION", s.noPosition())
		return
	}
	line("POSITION", s.place())
	line("SEQ", fmt.Sprint(r.Seq))
	line("EVENTS", fmt.Sprint(r.Events))
	line("WRITTEN", fmt.Sprintf("%s (%s) by instance %s", r.At.Format(time.RFC3339), humanize.Time(r.At), r.Instance))
}

func (s standing) place() string {
	if s.ofLog {
		return s.logPlace()
	}
	at := s.Place
	text := "phase " + at.Phase
	if at.LSN > 0 {
		text = at.LSN.String() + ", " + text
	}
	if at.XID != 0 {
		text += fmt.Sprintf(", inside transaction %d after its row %d", at.XID, at.Rows)
	} else if at.Rows > 0 {
		text += fmt.Sprintf(", %d rows published", at.Rows)
	}
	return text
}

func (s standing) lag() string {
	switch {
	case s.ofLog:
		return s.logLag()
	case s.Lag == nil:
		return "-"
	}
	return fmt.Sprintf("%d bytes (%s), the server's WAL ends at %s", *s.Lag, size(*s.Lag), s.ServerAt)
}

// noPosition tells "there is none" from "it is not known".
func (s standing) noPosition() string {
	if s.Continue == nil || !s.Continue.OK && strings.HasPrefix(s.Continue.Code, "kafka.") {
		return "-"
	}
	return "none"
}

func (s standing) slot() string {
	switch sl := s.Slot; {
	case sl == nil:
		return "-"
	case !sl.Exists:
		return sl.Name + " does not exist"
	default:
		active := "not active"
		if sl.ActivePID != 0 {
			active = fmt.Sprintf("active, read by pid %d", sl.ActivePID)
		}
		text := fmt.Sprintf("%s, %s, confirmed_flush %s, restart %s, %s, retains %s", sl.Name, active, sl.Confirmed, sl.Restart, sl.WALStatus, size(sl.Retained))
		if sl.Invalidated != "" {
			text += ", invalidated: " + sl.Invalidated
		}
		return text
	}
}

func (s standing) verdict() string {
	if s.Continue == nil {
		return "-"
	}
	return said(*s.Continue)
}

func said(v pipeline.Verdict) string {
	if v.OK {
		return v.Message
	}
	text := strings.Join(strings.Fields(v.Message), " ") + " [" + v.Code + "]" // a driver's message has several lines
	if v.Remedy != "" {
		text += ": " + v.Remedy
	}
	return text
}

func size(n int64) string {
	if n < 0 {
		return "-" + humanize.IBytes(uint64(-n))
	}
	return humanize.IBytes(uint64(n))
}
