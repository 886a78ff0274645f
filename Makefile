# make build      the binary, static, in bin/
# make test       vet, format check, and every test against real PostgreSQL 15 and 18, MySQL 8.0, MariaDB 10.11 and Kafka
#                 then the example: compose, snippets, e2e
# make test-all   the same against every PostgreSQL, MySQL and MariaDB version that can be had
# make test-mysql the tests of the binlog source alone, on every MySQL and MariaDB
# make faults     of these alone the built binary under kills, crashes and cut links
# make soak       the faults of internal/faults for longer: more kills, longer pauses
# make compose    docker-compose.yml and the Dockerfiles, read by Docker's own loader and parser (a module of its own)
# make snippets   the snippets of every stack whose runtime is here: Java, Python and Node fetch their libraries
# make e2e        the example's two services from their jars, Outferry between them, each process killed once
# make bench-go   micro-benchmarks of decoding, routing and encoding, compared with bench/baseline
# make bench      Outferry, the raw log readers and a producer on backlogs and at steady rates; minutes. docs/benchmarks.md
# make bench-debezium  fewer shapes, beside Kafka Connect with Debezium; some two hours
# make fuzz       each fuzz target for FUZZTIME
#
# The tests bring their servers themselves, into OUTFERRY_SERVERS (see internal/install). They need
# Java 17 and Maven; root on a Debian or Ubuntu machine gets both installed where they are missing.

POSTGRES     = 15,18
POSTGRES_ALL = 13,14,15,16,17,18
MYSQL        = 8.0,mariadb10
MYSQL_ALL    = 8.0,9,mariadb10,mariadb11
PACKAGES     = ./...
TIMEOUT      = 20m
FUZZTIME     = 30s

BENCH_PACKAGES = walstream binlog router encode
BENCH          = '^Benchmark(Decode|DecodeAndRoute|DecodeAndExpand|ForeignRows|Route|Encode|Expand)$$'
BENCH_TIME     = 100ms
BENCH_COUNT    = 6
BENCHSTAT      = go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

# Two packages at a time: servers and tests share the machine.
GOTEST = go test -timeout $(TIMEOUT) -p 2
WITH   = go run ./internal/servers/run
SERVERS = $(WITH) -postgres $(POSTGRES) -mysql $(MYSQL) -kafka --

.PHONY: build test faults test-all test-mysql soak snippets compose e2e vet fuzz bench bench-debezium bench-go bench-baseline tools clean

build:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/outferry ./cmd/outferry

# The faults come by themselves: two cores are too few for them beside the rest.
test: vet tools
	OUTFERRY_TEST_POSTGRES=$(POSTGRES) OUTFERRY_TEST_MYSQL=$(MYSQL) $(SERVERS) sh -c '$(GOTEST) $$(go list $(PACKAGES) | grep -v /internal/faults) && $(GOTEST) ./internal/faults'
	$(MAKE) compose snippets e2e

faults: vet tools
	OUTFERRY_TEST_POSTGRES=$(POSTGRES) OUTFERRY_TEST_MYSQL=$(MYSQL) $(SERVERS) $(GOTEST) ./internal/faults

test-all:
	$(MAKE) test POSTGRES=$(POSTGRES_ALL) MYSQL=$(MYSQL_ALL) TIMEOUT=60m

test-mysql: vet tools
	OUTFERRY_TEST_MYSQL=$(MYSQL_ALL) $(WITH) -mysql $(MYSQL_ALL) -kafka -- $(GOTEST) ./binlog/

compose:
	cd internal/composecheck && go vet ./... && go test -count=1 ./...

snippets: tools
	go test -count=1 -timeout 10m -tags snippets ./examples/snippets

# Not cached: the jars come from outside of Go.
e2e: tools
	go vet -tags e2e ./internal/e2e
	go test -tags e2e -count=1 -timeout $(TIMEOUT) -v ./internal/e2e

vet:
	go vet $(PACKAGES)
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1; fi

soak: tools
	OUTFERRY_LONG=1 $(WITH) -postgres 15 -kafka -- go test -timeout 120m -count 1 -v ./internal/faults

# BENCHFLAGS="-shapes all -rounds 5" and the like: go run ./bench -h.
bench: tools
	go run ./bench $(BENCHFLAGS)

bench-debezium: tools
	go run ./bench -debezium -shapes 200B,1KiB,1-row -rounds 1 $(BENCHFLAGS)

# Wall clock: compare on the machine and at the load of the baseline, or write another with bench-baseline first.
bench-go: BENCH_OUT = bin/bench
bench-baseline: BENCH_OUT = bench/baseline
bench-go bench-baseline:
	@mkdir -p $(BENCH_OUT)
	@set -e; for package in $(BENCH_PACKAGES); do \
		go test -run '^$$' -bench $(BENCH) -benchtime $(BENCH_TIME) -count $(BENCH_COUNT) ./$$package > $(BENCH_OUT)/$$package.txt || { cat $(BENCH_OUT)/$$package.txt; exit 1; }; \
		$(BENCHSTAT) bench/baseline/$$package.txt $$([ $(BENCH_OUT) = bench/baseline ] || echo $(BENCH_OUT)/$$package.txt); \
	done

# Each target by itself: go test fuzzes one at a time.
fuzz:
	@set -e; for package in $$(go list $(PACKAGES)); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "fuzz $$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

tools:
	@missing=; \
	command -v java >/dev/null || missing="$$missing default-jre-headless"; \
	command -v mvn >/dev/null || missing="$$missing maven"; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "the tests need Java 17 and Maven to run Apache Kafka; missing here, by their Debian names:$$missing" >&2; \
		exit 1; \
	fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing

clean:
	rm -rf bin
