package configs

//go:generate go test -run TestGeneratedFiles -update .
