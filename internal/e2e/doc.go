// Package e2e runs docker-compose.yml as processes: PostgreSQL, MySQL, Kafka, the built Outferry with both pipeline
// files of examples/spring-boot, and both services from their jars, with the file's settings. People use it through
// REST while each process is killed; in the end both services must agree exactly. It holds tests only, behind the
// build tag e2e: `make e2e` runs them.
package e2e
