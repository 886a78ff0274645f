package main

// Exit codes of commands that meet no fault of a pipeline, which has its own by pipeline.ExitCode.
const (
	exitConfig      = 2 // usage or configuration: a restart does not help
	exitEnvironment = 3 // database, Kafka or a permission: restart with growing pauses

	exitInterrupted = 130 // a benchmark that was stopped, as shells say it of Ctrl-C
)

// exitError carries a command's exit code. Without an error the command has said what is wrong already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return "failed"
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }
