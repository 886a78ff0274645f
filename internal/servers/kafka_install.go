package servers

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"outferry/internal/install"
)

const kafkaVersion = "4.3.1" // as in kafka.pom.xml

//go:embed kafka.pom.xml
var kafkaPOM []byte

const kafkaLogging = `status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
`

// installKafka returns a directory with libs/ (the jars), log4j2.properties, and formatted/, the empty storage
// of a broker: formatting takes a second of Java and gives the same each time, but for the ids.
func installKafka() (string, error) {
	return install.Once("kafka-"+kafkaVersion, func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "pom.xml"), kafkaPOM, 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "log4j2.properties"), []byte(kafkaLogging), 0o644); err != nil {
			return err
		}
		if err := maven(dir, "copy-dependencies", "-DoutputDirectory="+filepath.Join(dir, "libs"), "-DincludeScope=runtime"); err != nil {
			return err
		}
		return formatKafka(dir)
	})
}

func formatKafka(dir string) error {
	storage := filepath.Join(dir, "formatted")
	properties := filepath.Join(dir, "format.properties")
	lines := kafkaProperties(kafkaPorts{plain: 1, controller: 2}, storage, KafkaOptions{})
	if err := os.WriteFile(properties, []byte(lines), 0o644); err != nil {
		return err
	}
	java, err := javaProgram()
	if err != nil {
		return err
	}
	return run(exec.Command(java, append(javaClassPath(dir), "kafka.tools.StorageTool", "format", "-t", newKafkaID(), "-c", properties)...))
}

func javaClassPath(dir string) []string {
	return []string{
		"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", // quick to start, few threads
		"-Dlog4j2.configurationFile=" + filepath.Join(dir, "log4j2.properties"),
		"-cp", filepath.Join(dir, "libs", "*"),
	}
}

func javaProgram() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java"), nil
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("find java (Kafka needs 17 or newer): %w", err)
	}
	return java, nil
}

// maven runs a goal of the dependency plugin in dir.
func maven(dir, goal string, args ...string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("find Maven: %w", err)
	}
	cmd := exec.Command(mvn, append([]string{
		"--batch-mode", "--quiet", "--no-transfer-progress", "-Dstyle.color=never",
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:" + goal,
	}, args...)...)
	cmd.Dir = dir
	return run(cmd)
}

func run(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.Join(lines[max(0, len(lines)-10):], "\n"))
	}
	return nil
}
