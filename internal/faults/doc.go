// Package faults harms the built binary, its database and its broker, and has package feedcheck judge what
// arrived. It holds tests only.
//
// Each test makes a stage (a database, a prefix of topics, a pipeline file), runs one or more instances of
// the binary on it under a workload, does its harm, and asks for the verdict: every committed row once, in
// order, and nothing else. Each also proves that its harm was done. The servers are real; those that a test
// kills are its own. OUTFERRY_LONG=1 multiplies the rounds.
package faults
