package binlog_test

import (
	"fmt"
	"math"
	"math/rand"
	"strconv"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/outbox"
)

const typesSQL = `CREATE TABLE outbox (
	id binary(16) PRIMARY KEY, aggregatetype varchar(40), aggregateid char(10), payload json,
	t1 tinyint, t2 tinyint unsigned, s1 smallint, s2 smallint unsigned, m1 mediumint, m2 mediumint unsigned, i1 int, i2 int unsigned zerofill, b1 bigint, b2 bigint unsigned,
	f float, d double, n decimal(10,2), n2 decimal(65,30), n3 decimal(5,0), y year, bt bit(10), bl bool,
	da date, ti time, ti3 time(3), ti6 time(6), dt datetime, dt1 datetime(1), dt6 datetime(6), ts timestamp NULL, ts3 timestamp(3) NULL,
	e enum('one','t''wo','drei ü'), st set('a','b','c'), bi binary(4), vb varbinary(300), bb blob,
	lat varchar(20) CHARACTER SET latin1, u16 varchar(20) CHARACTER SET utf16, sj varchar(20) CHARACTER SET sjis, gb varchar(20) CHARACTER SET gbk,
	big char(100) CHARACTER SET utf8mb4, tx text CHARACTER SET latin2, lt longtext, g point, el enum('ä','b') CHARACTER SET latin1, gv int AS (t1 + 1) VIRTUAL, gs int AS (t1 + 2) STORED, inv int INVISIBLE DEFAULT 7
) CHARACTER SET utf8mb4`

const typesRows = `INSERT INTO outbox (id, aggregatetype, aggregateid, payload, t1, t2, s1, s2, m1, m2, i1, i2, b1, b2, f, d, n, n2, n3, y, bt, bl, da, ti, ti3, ti6, dt, dt1, dt6, ts, ts3, e, st, bi, vb, bb, lat, u16, sj, gb, big, tx, lt, g, el) VALUES
	(X'0102030405060708090a0b0c0d0e0f00', 'order', 'k ', '{"a": 1, "bb": [1.5, null, true, "x"]}', -128, 255, -32768, 65535, -8388608, 16777215, -2147483648, 42, -9223372036854775808, 18446744073709551615,
	1.1, 1.23456789e-7, -123.40, 12345678901234567890123456789012345.000000000000000000000000000001, 99999, 2024, b'1010101010', true,
	'2024-02-29', '-838:59:59', '-00:00:00.120', '12:34:56.123456', '2024-02-29 10:11:12', '1000-01-01 00:00:00.1', '9999-12-31 23:59:59.999999', '2024-02-29 10:11:12', '2038-01-19 03:14:07.123',
	'drei ü', 'a,c', X'0102', X'00ff', X'00ff00',
	'äöü €', 'aä€😀', 'カタカナ', '汉字', 'grüße', 'žluť', 'long', ST_GeomFromText('POINT(1 2)'), 'ä'),
	(X'1102030405060708090a0b0c0d0e0f10', '', '', 'null', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -0, 1901, b'0', false,
	'0000-00-00', '00:00:00', '838:59:59.000', '-838:59:58.999999', '0000-00-00 00:00:00', '2024-01-00 00:00:00.0', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '1970-01-01 00:00:01',
	'', '', '', '', '', '', '', '', '', '', '', '', NULL, 'b'),
	(X'2102030405060708090a0b0c0d0e0f10', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
	NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`

// TestValuesAreThoseOfTheServer reads rows of every type off the log, and again in a snapshot, which has the
// server's own text: both must agree, with names in the log and without.
func TestValuesAreThoseOfTheServer(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		for _, metadata := range []string{"FULL", "MINIMAL", "DEFAULT"} {
			t.Run(version+"/"+metadata, func(t *testing.T) {
				d := servers.MySQL(t, version)
				d.Exec(t, "SET GLOBAL binlog_row_metadata = "+metadata)
				d.Exec(t, typesSQL)
				cfg := file(t, d, noData)
				f := start(t, cfg, nil, binlog.Options{})
				f.begun()
				d.Exec(t, "SET sql_mode = '', time_zone = '+05:00'; "+typesRows)
				compareWithSnapshot(t, d, f.wait(3))
			})
		}
	}
}

func compareWithSnapshot(t *testing.T, d *servers.MySQLDatabase, streamed []copied) {
	t.Helper()
	cfg := file(t, d, func(c *configs.Pipeline) { c.Source.MySQL.ServerID++ })
	snap := start(t, cfg, nil, binlog.Options{}).wait(len(streamed))
	byID := map[string]copied{}
	for _, r := range snap {
		byID[r.values[0]] = r
	}
	for _, r := range streamed {
		s, ok := byID[r.values[0]]
		if !ok {
			t.Fatalf("row %q is not in the snapshot, which has %d rows", r.values[0], len(snap))
		}
		for i, c := range r.table.Columns {
			if r.values[i] != s.values[i] {
				t.Errorf("%s %s: streamed %q, snapshot %q", c.Name, c.TypeName, r.values[i], s.values[i])
			}
			o := s.table.Columns[i]
			if c.Name != o.Name || c.Kind != o.Kind || c.Length != o.Length || c.Precision != o.Precision || c.Scale != o.Scale || c.Nullable != o.Nullable || fmt.Sprint(c.Labels) != fmt.Sprint(o.Labels) {
				t.Errorf("column %d: streamed %+v, snapshot %+v", i, c, o)
			}
		}
	}
}

// TestValuesAreAsPackageOutboxNamesThem pins the forms that nothing else here would notice.
func TestValuesAreAsPackageOutboxNamesThem(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			d := fullNames(t, version)
			d.Exec(t, typesSQL)
			f := start(t, file(t, d, noData), nil, binlog.Options{})
			f.begun()
			d.Exec(t, "SET sql_mode = '', time_zone = '+05:00'; "+typesRows)
			r := f.wait(3)[0]
			for column, want := range map[string]string{
				"id": "01020304-0506-0708-090a-0b0c0d0e0f00", "aggregateid": "k", "t1": "-128", "t2": "255", "b2": "18446744073709551615", "i2": "42",
				"f": "1.1", "d": "1.23456789e-07", "n": "-123.40", "n3": "99999", "y": "2024", "bt": "1010101010", "bl": "1",
				"da": "2024-02-29", "ti": "-838:59:59", "ti3": "-00:00:00.120", "ti6": "12:34:56.123456", "dt1": "1000-01-01 00:00:00.1",
				"ts": "2024-02-29 05:11:12+00", "e": "drei ü", "st": "a,c", "bi": "\x01\x02\x00\x00", "lat": "äöü €", "u16": "aä€😀", "sj": "カタカナ", "gb": "汉字", "tx": "žluť",
			} {
				if got := r.get(column); got != want {
					t.Errorf("%s: got %q, want %q", column, got, want)
				}
			}
			if k := r.table.Columns[r.table.Index("id")].Kind; k != outbox.UUID {
				t.Errorf("id is of kind %d, want a UUID", k)
			}
			if version[0] == '8' || version[0] == '9' {
				if got, want := r.get("payload"), `{"a": 1, "bb": [1.5, null, true, "x"]}`; got != want {
					t.Errorf("payload: got %s, want %s", got, want)
				}
			}
		})
	}
}

// TestJSONIsPrintedAsTheServerPrintsIt: documents of every kind, and many random numbers.
func TestJSONIsPrintedAsTheServerPrintsIt(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		if strings.HasPrefix(version, "mariadb") {
			continue // JSON is text there
		}
		t.Run(version, func(t *testing.T) {
			d := fullNames(t, version)
			d.Exec(t, "CREATE TABLE outbox (id int PRIMARY KEY AUTO_INCREMENT, payload json)")
			f := start(t, file(t, d, noData), nil, binlog.Options{})
			f.begun()
			rows := jsonDocuments()
			for i := 0; i < len(rows); i += 50 {
				d.Exec(t, "INSERT INTO outbox (payload) VALUES ("+strings.Join(rows[i:min(i+50, len(rows))], "),(")+")")
			}
			compareWithSnapshot(t, d, f.wait(len(rows)))
		})
	}
}

func jsonDocuments() []string {
	docs := []string{
		`'{}'`, `'[]'`, `'""'`, `'true'`, `'null'`, `'0'`, `'-1'`, `'32768'`, `'-32769'`, `'2147483648'`, `'-9223372036854775808'`, `'18446744073709551615'`,
		`'{"b":1,"a":2,"aa":3,"":4}'`, `'[[[[[[1]]]]]]'`, `'{"a":{"b":{"c":[1,2,{"d":null}]}}}'`,
		`JSON_QUOTE(CONCAT('q"\\', CHAR(0,1,7,8,9,10,11,12,13,27,31,127 USING utf8mb4), '/ü€😀'))`,
		`JSON_OBJECT('d', CAST('2024-02-29' AS DATE), 't', CAST('-10:11:12.5' AS TIME(6)), 'dt', CAST('2024-02-29 10:11:12.345' AS DATETIME(3)), 'n', CAST('-123.450' AS DECIMAL(10,3)), 'z', CAST(0.000001 AS DECIMAL(10,6)))`,
		`JSON_OBJECT('b', X'00ff10', 'e', CAST('' AS BINARY), 'l', REPEAT(X'AB', 200))`, `JSON_OBJECT('bit', b'1010')`,
		`JSON_OBJECT('y', CAST(2024 AS YEAR))`, `CAST(ST_GeomFromText('POINT(1 2)') AS JSON)`,
		`JSON_ARRAY(REPEAT('x', 70000), 1, 2, REPEAT('y', 300))`, `CONCAT('[', REPEAT('1,', 20000), '1]')`, `JSON_OBJECT(REPEAT('k', 300), REPEAT('v', 128))`,
		`'[1e0, 1.0, 100.0, 1e14, 1e15, 1e16, 123456789012345678, 1e20, 1e21, 1e22, 1.5e300, 1e-1, 1e-5, 1e-6, 1e-7, 1e-14, 1e-15, 1e-16, 1.234e-10, 0.0, -0.0, 1.7976931348623157e308, 5e-324, 0.1, 12345678.9]'`,
		`'[1039514241563211.8, -1039514241563211.8, 1234567890123456.8, 9007199254740991.5, 4503599627370497.5, 1125899906842624.25, 1000000000000000.1, 999999999999999.9, 1000000000000000.0, 1234567890123456e1]'`,
	}
	r := rand.New(rand.NewSource(1))
	for range 300 {
		var numbers []string
		for range 10 {
			f := r.NormFloat64()
			for range r.Intn(40) {
				f *= []float64{10, 0.1}[r.Intn(2)]
			}
			numbers = append(numbers, strconv.FormatFloat(f, 'e', r.Intn(17), 64))
		}
		docs = append(docs, "'["+strings.Join(numbers, ",")+"]'")
	}
	for range 50 {
		var numbers []string
		for range 20 {
			if f := math.Float64frombits(r.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
				numbers = append(numbers, strconv.FormatFloat(f, 'e', -1, 64))
			}
		}
		docs = append(docs, "'["+strings.Join(numbers, ",")+"]'")
	}
	for exp := -20; exp < 25; exp++ { // around where an exponent begins
		var numbers []string
		for range 50 {
			numbers = append(numbers, fmt.Sprintf("%.*fe%d", 1+r.Intn(16), 1+9*r.Float64(), exp))
		}
		docs = append(docs, "'["+strings.Join(numbers, ",")+"]'")
	}
	return docs
}

// TestTypesOfOneServerAlone: what only MariaDB or only MySQL 9 has.
func TestTypesOfOneServerAlone(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := fullNames(t, version)
		switch {
		case isMaria(version):
			d.Exec(t, "CREATE TABLE outbox (id uuid PRIMARY KEY, i6 inet6, v varchar(2000) COMPRESSED, vs varchar(10) COMPRESSED, bl text COMPRESSED CHARACTER SET latin1, bb blob COMPRESSED, j json)")
		case version[0] == '9':
			d.Exec(t, "CREATE TABLE outbox (id int PRIMARY KEY, v vector(3), KEY f ((id + 1)))")
		default:
			return
		}
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		if isMaria(version) {
			d.Exec(t, `INSERT INTO outbox VALUES ('01020304-0506-1708-890a-0b0c0d0e0f10', '2001:db8::1', REPEAT('ä', 500), 'x', REPEAT('ü', 500), REPEAT(X'00ff', 300), '{"a" :1}'),
				('01020304-0506-7708-890a-0b0c0d0e0f10', '::', '', '', '', '', '[]'), ('01020304-0506-4708-890a-0b0c0d0e0f00', NULL, NULL, NULL, NULL, NULL, NULL)`)
			compareWithSnapshot(t, d, f.wait(3))
			return
		}
		d.Exec(t, "INSERT INTO outbox VALUES (1, TO_VECTOR('[1,2,3]')), (2, NULL)")
		compareWithSnapshot(t, d, f.wait(2))
	})
}

// TestVectorsBesideTexts: MySQL counts them among the columns that have a character set, and for MariaDB they are binary strings.
func TestVectorsBesideTexts(t *testing.T) {
	for _, metadata := range []string{"FULL", "MINIMAL"} {
		for _, charset := range []string{"utf8mb4", "latin1"} {
			each(t, func(t *testing.T, version string) {
				vector := map[string]string{"9": "TO_VECTOR", "mariadb11": "VEC_FromText"}[version]
				if vector == "" {
					return
				}
				d := servers.MySQL(t, version)
				d.Exec(t, "SET GLOBAL binlog_row_metadata = "+metadata+`; CREATE TABLE outbox (id char(36) PRIMARY KEY, v1 vector(3), aggregatetype varchar(99), v2 vector(2), aggregateid varchar(99) CHARACTER SET utf16,
					j json, g point, b varbinary(9), e enum('ä','z'), v3 vector(1), payload text, bb blob, c char(9) CHARACTER SET cp1250) CHARACTER SET `+charset)
				f := start(t, file(t, d, noData), nil, binlog.Options{})
				f.begun()
				d.Exec(t, fmt.Sprintf(`INSERT INTO outbox VALUES ('1', %[1]s('[1,2,3]'), 'öder', %[1]s('[1,2]'), 'kéy', '{}', ST_GeomFromText('POINT(1 2)'), X'00FF', 'ä', %[1]s('[4]'), 'Zoë', X'80FF', 'žluť'), ('2', NULL, 'ö', NULL, 'k', NULL, NULL, X'80', 'z', NULL, 'é', X'FF', 'ť')`, vector))
				rows := f.wait(2)
				compareWithSnapshot(t, d, rows)
				for column, want := range map[string]string{"aggregatetype": "öder", "aggregateid": "kéy", "payload": "Zoë", "c": "žluť", "e": "ä", "b": "\x00\xff", "bb": "\x80\xff"} {
					if got := rows[0].get(column); got != want {
						t.Errorf("%s: got %q, want %q", column, got, want)
					}
				}
			})
		}
	}
}

// TestOldFormOfTimes: without fractions it is read; with them MariaDB's log doesn't say how long they are.
func TestOldFormOfTimes(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version, RowMetadata: "FULL", Settings: []string{"mysql56_temporal_format = OFF"}}).Database(t)
		d.Exec(t, "CREATE TABLE outbox (id int PRIMARY KEY, t time, d datetime, s timestamp NULL, payload text)")
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		d.Exec(t, "INSERT INTO outbox VALUES (1, '-10:11:12', '2024-02-29 10:11:12', '2024-02-29 10:11:12', 'p')")
		compareWithSnapshot(t, d, f.wait(1))
		d.Exec(t, "ALTER TABLE outbox ADD COLUMN s3 timestamp(3) NULL; INSERT INTO outbox VALUES (2, NULL, NULL, NULL, 'p', '2024-02-29 10:11:12.123')")
		if fault := f.fault(); fault.Code != "mysql.unreadable" || !strings.Contains(fault.Error(), "mysql56_temporal_format") || len(f.rows) != 1 {
			t.Errorf("got %v after %d rows", fault, len(f.rows))
		}
	})
}

// TestLabelsAreThoseOfTheServer: the catalog writes some characters of a label otherwise.
func TestLabelsAreThoseOfTheServer(t *testing.T) {
	var ascii, rows []string
	for c := range 128 {
		ascii = append(ascii, fmt.Sprintf("X'61%02X62%02[1]X'", c))
		rows = append(rows, fmt.Sprintf("(%d, %[1]d, %d, %d, %d, %d, %d, %d)", c+1, c%15+1, c%16, c%3+1, c%2+1, c%2+1, c%2+1))
	}
	create := "CREATE TABLE outbox (id int PRIMARY KEY, a enum(" + strings.Join(ascii, ",") + `) CHARACTER SET utf8mb3 COLLATE utf8mb3_bin,
		e enum('a\\b','c\nd','it''s','x,y',' lead','\\','''','\\n','\\''','''\\','),(','',"x'61'",'é','汉%') CHARACTER SET utf8mb4,
		s set('a\\b','q''r','n\nl','\\') CHARACTER SET utf8mb4, sj enum('ソ','\\','?') CHARACTER SET sjis, la enum('é\\','?') CHARACTER SET latin1,
		uc enum('é\\','?') CHARACTER SET ucs2, bi enum('é\\','b') CHARACTER SET binary)`
	for _, version := range servers.MySQLVersions(t) {
		for _, metadata := range []string{"FULL", "MINIMAL", "DEFAULT"} {
			t.Run(version+"/"+metadata, func(t *testing.T) {
				d := servers.MySQL(t, version)
				d.Exec(t, "SET GLOBAL binlog_row_metadata = "+metadata+"; "+create)
				f := start(t, file(t, d, noData), nil, binlog.Options{})
				f.begun()
				d.Exec(t, "INSERT INTO outbox VALUES "+strings.Join(rows, ","))
				compareWithSnapshot(t, d, f.wait(len(rows)))
			})
		}
	}
}

// TestLabelsThatTheCatalogCantTellAreNotGuessed: it knows no character of four bytes, and no binary label that is no text.
func TestLabelsThatTheCatalogCantTellAreNotGuessed(t *testing.T) {
	columns := []string{"e enum('z','a😀b') CHARACTER SET utf8mb4", "e set('?','😀','z') CHARACTER SET utf16", "e enum(X'12',X'8001','z') CHARACTER SET binary"}
	each(t, func(t *testing.T, version string) {
		d := servers.MySQL(t, version)
		for _, column := range columns {
			d.Exec(t, "SET GLOBAL binlog_row_metadata = FULL; DROP TABLE IF EXISTS outbox; CREATE TABLE outbox (id int PRIMARY KEY, "+column+"); INSERT INTO outbox VALUES (1, 1), (2, 2)")
			f := start(t, file(t, d, noData), nil, binlog.Options{})
			f.begun()
			d.Exec(t, "SET GLOBAL binlog_row_metadata = MINIMAL")
			d.Exec(t, "DELETE FROM outbox WHERE id = 1; INSERT INTO outbox VALUES (3, 'z'); INSERT INTO outbox SELECT id + 2, e FROM outbox WHERE id = 2; INSERT INTO outbox VALUES (5, 'z')")
			fault := f.fault()
			wantFault(t, fault, "mysql.names_unknown", outbox.PositionLost)
			if len(f.rows) != 1 || !strings.Contains(fault.Error(), "column e") {
				t.Errorf("%s: %d rows, %v", column, len(f.rows), fault)
			}
		}
	})
}

// TestAddressesAreThoseOfMariaDB: each pattern of zero groups, and groups that make an address look like one of IPv4.
func TestAddressesAreThoseOfMariaDB(t *testing.T) {
	var rows []string
	add := func(groups ...string) {
		rows = append(rows, fmt.Sprintf("(%d, '%s', '%d.0.255.1')", len(rows), strings.Join(groups, ":"), len(rows)%256))
	}
	words := []string{"0", "1", "102", "ffff", "ff", "a00"}
	for pattern := range 256 {
		for _, w := range words[1:] {
			groups := strings.Fields(strings.Repeat("0 ", 8))
			for i := range groups {
				if pattern>>i&1 == 1 {
					groups[i] = w
				}
			}
			add(groups...)
		}
	}
	for i := range len(words) * len(words) * len(words) {
		add("0", "0", "0", "0", "0", words[i%6], words[i/6%6], words[i/36])
		add("0", "0", "0", "0", words[i%6], "ffff", words[i/6%6], words[i/36])
	}
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		d := fullNames(t, version)
		d.Exec(t, "CREATE TABLE outbox (id int PRIMARY KEY, i6 inet6, i4 inet4)")
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		d.Exec(t, "INSERT INTO outbox VALUES "+strings.Join(rows, ","))
		compareWithSnapshot(t, d, f.wait(len(rows)))
	})
}

// TestNumbersWithDeclaredDecimals are those that are stored, also where SELECT rounds them again.
func TestNumbersWithDeclaredDecimals(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := fullNames(t, version)
		d.Exec(t, "CREATE TABLE outbox (id int PRIMARY KEY, d double(20,5), d2 double(10,2), f float(7,2), f5 float(10,5), z double(20,5) unsigned zerofill, p double, pf float)")
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		d.Exec(t, "INSERT INTO outbox VALUES (1, -0.00001, -1.005, 12345.67, 0.00001, 0.1, -0e0, -0e0), (2, 123456789012345.12345, 0.07, 0.01, 12345.12345, 1e9, 1e300, 0.1), (3, 0.1, 10000000.01, 33.33, 0.3, 0.00003, 1, 1), (4, NULL, 2.675, 99999.99, 0.12345, 123.45678, 0.1, 1e-30)")
		compareWithSnapshot(t, d, f.wait(4))
	})
}
