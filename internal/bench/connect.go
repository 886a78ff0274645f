package bench

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"outferry/internal/install"
	"outferry/internal/process"
)

//go:embed connect.pom.xml
var connectPOM []byte

//go:embed debezium.pom.xml
var debeziumPOM []byte

const debeziumVersion = "3.5.0.Final" // the newest that has all three connectors; as in debezium.pom.xml

// provided are the jars that the worker brings itself.
const provided = "connect-api,kafka-clients,slf4j-api,lz4-java,snappy-java,zstd-jni"

const connectLogging = `status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
`

// installConnect returns the directories of the worker's jars and of one connector's plugin.
func installConnect(connector string) (worker, plugin string, err error) {
	worker, err = install.Once("connect-"+kafkaVersion, func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "log4j2.properties"), []byte(connectLogging), 0o644); err != nil {
			return err
		}
		return jars(dir, connectPOM, filepath.Join(dir, "libs"))
	})
	if err != nil {
		return "", "", err
	}
	plugin, err = install.Once("debezium-"+connector+"-"+debeziumVersion, func(dir string) error {
		return jars(dir, debeziumPOM, filepath.Join(dir, "plugins", connector), "-Dconnector="+connector, "-DexcludeArtifactIds="+provided)
	})
	return worker, plugin, err
}

func jars(dir string, pom []byte, to string, args ...string) error {
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o644); err != nil {
		return err
	}
	cmd := exec.Command("mvn", append([]string{"--batch-mode", "--quiet", "--no-transfer-progress", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
		"-DoutputDirectory=" + to, "-DincludeScope=runtime"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch jars: %w: %.2000s", err, out)
	}
	return nil
}

// worker is one Kafka Connect in distributed mode. It has a group and topics of its own: what another run left there would start with it.
type worker struct {
	*process.Process
	url string
}

// startWorker gives the JVM what Kafka's own script gives it.
func startWorker(ctx context.Context, r *Rig, connector, group string, exactlyOnce bool) (*worker, error) {
	libs, plugin, err := installConnect(connector)
	if err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	w := &worker{url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	file := filepath.Join(r.Dir, group+".properties")
	if err := os.WriteFile(file, []byte(workerProperties(r.Broker, w.url, group, filepath.Join(plugin, "plugins"), exactlyOnce)), 0o600); err != nil {
		return nil, err
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("find java: %w", err)
	}
	w.Process, err = r.start(group, nil, java, "-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
		"-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true", "-Dlog4j2.configurationFile="+filepath.Join(libs, "log4j2.properties"),
		"-cp", filepath.Join(libs, "libs", "*"), "org.apache.kafka.connect.cli.ConnectDistributed", file)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func workerProperties(broker, url, group, plugins string, exactlyOnce bool) string {
	eos := "disabled"
	if exactlyOnce {
		eos = "enabled"
	}
	return fmt.Sprintf(`bootstrap.servers=%[1]s
group.id=%[3]s
listeners=%[2]s
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
config.storage.topic=%[3]s-configs
offset.storage.topic=%[3]s-offsets
status.storage.topic=%[3]s-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
offset.storage.partitions=1
status.storage.replication.factor=1
status.storage.partitions=1
plugin.path=%[4]s
exactly.once.source.support=%[5]s
connector.client.config.override.policy=All
`, broker, url, group, plugins, eos)
}

// ready waits for the REST interface.
func (w *worker) ready(ctx context.Context) error {
	return waitReady(ctx, w.url+"/connectors", w.Process)
}

func (w *worker) request(ctx context.Context, method, path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = &refused{resp.StatusCode, fmt.Sprintf("%s %s: %s: %.1000s", method, path, resp.Status, answer)}
	}
	return answer, err
}

// refused is an answer that is none of success.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return r.text }

// create makes a connector. The worker may still be joining its group, which it says with a conflict.
func (w *worker) create(ctx context.Context, name string, config map[string]string) error {
	for {
		_, err := w.request(ctx, http.MethodPut, "/connectors/"+name+"/config", config)
		var no *refused
		if !errors.As(err, &no) || no.status != http.StatusConflict && no.status != http.StatusServiceUnavailable {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// state of the connector's task: RUNNING, or another; an error where it failed.
func (w *worker) state(ctx context.Context, name string) (string, error) {
	answer, err := w.request(ctx, http.MethodGet, "/connectors/"+name+"/status", nil)
	if err != nil {
		return "UNKNOWN", nil // it is asked again
	}
	var s struct {
		Tasks []struct{ State, Trace string }
	}
	if err := json.Unmarshal(answer, &s); err != nil || len(s.Tasks) == 0 {
		return "UNASSIGNED", err
	}
	if t := s.Tasks[0]; t.State == "FAILED" {
		return t.State, fmt.Errorf("the task of %s failed: %.1500s", name, t.Trace)
	}
	return s.Tasks[0].State, nil
}

// running waits until the connector's task runs.
func (w *worker) running(ctx context.Context, name string) error {
	for {
		state, err := w.state(ctx, name)
		if err != nil || state == "RUNNING" {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the task of %s, which is %s: %w", name, state, err)
		}
	}
}

// progress is that of the topics, and looks each ten seconds whether the task has failed.
func (w *worker) progress(name string, of func(context.Context) (int, error)) func(context.Context) (int, error) {
	looked := time.Now()
	return func(ctx context.Context) (int, error) {
		if time.Since(looked) > 10*time.Second {
			looked = time.Now()
			if _, err := w.state(ctx, name); err != nil {
				return 0, err
			}
		}
		return of(ctx)
	}
}

func (w *worker) end() error { return w.Stop(syscall.SIGTERM, time.Minute) }

// gone ends a worker whose measurement is over. Some tasks hang in their end until they are killed, which says nothing of the run.
func (w *worker) gone() { _ = w.end() }
