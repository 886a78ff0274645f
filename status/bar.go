package status

import (
	"io"

	"github.com/schollz/progressbar/v3"
)

// newBar returns a bar that only draws: its own rate and time left jump, and are nonsense at a standstill.
func newBar(w io.Writer) *progressbar.ProgressBar {
	return progressbar.NewOptions64(barSteps,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(24),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetSpinnerChangeInterval(0), // else it starts a goroutine
		progressbar.OptionUseANSICodes(true),
	)
}

// draw shows where the work is. The last step is kept for Done: a bar that is full draws no more.
func (p *Progress) draw() {
	step := int64(0)
	if p.total > 0 {
		step = min(p.done*barSteps/p.total, barSteps-1)
	}
	p.bar.Describe(p.caption())
	p.bar.Set64(step) // the error is a full bar or a closed terminal
}
