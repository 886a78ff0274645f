package pipeline

import (
	"context"

	"github.com/hashicorp/go-hclog"

	"outferry/binlog"
	"outferry/configs"
)

// askLog is askDatabase for a binlog.
func (s *Standing) askLog(ctx context.Context, cfg *configs.Pipeline, known bool) {
	admin, err := binlog.OpenAdmin(ctx, cfg, hclog.NewNullLogger())
	if err == nil {
		defer admin.Close()
		err = s.lookAtLog(ctx, admin, known)
	}
	if err != nil {
		s.Missing = append(s.Missing, s.verdictOf(err))
	}
}

func (s *Standing) lookAtLog(ctx context.Context, admin *binlog.Admin, known bool) (err error) {
	if s.Log, err = admin.Log(); err != nil {
		return err
	}
	if s.Running, err = admin.Holders(ctx); err != nil {
		return err
	}
	if s.Record != nil {
		if s.Lag, s.Behind, err = admin.Lag(s.LogPlace); err != nil {
			return err
		}
	}
	if known {
		s.judgeLog(admin)
	}
	return nil
}

func (s *Standing) judgeLog(admin *binlog.Admin) {
	v := Verdict{OK: true, Message: "yes"}
	switch {
	case len(s.Running) > 0:
		v.Message = "it runs"
	default:
		if err := admin.Continue(s.Position); err != nil {
			v = s.verdictOf(err)
		} else if s.Record == nil {
			v.Message = "no position yet: the next run is a first start"
		}
	}
	s.Continue = &v
}
