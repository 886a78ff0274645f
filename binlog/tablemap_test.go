package binlog

import (
	"slices"
	"testing"
)

// TestVectorsHaveACollationInTheLog: MySQL counts them in both forms of the field, so those of the columns behind them move on.
func TestVectorsHaveACollationInTheLog(t *testing.T) {
	const latin1, utf16, utf8mb4 = 8, 54, 45
	for name, field := range map[string][]byte{
		"pairs": {metaDefaultCharset, 7, collationBinary, 1, latin1, 3, utf16, 4, utf8mb4},
		"list":  {metaColumnCharset, 5, collationBinary, latin1, collationBinary, utf16, utf8mb4},
	} {
		body := []byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 'd', 0, 1, 't', 0}
		body = append(body, 6, typeVector, typeVarchar, typeGeometry, typeVector, typeBlob, typeBlob)
		body = append(body, 7, 4, 99, 0, 4, 4, 2, 2, 0)
		m, err := decodeTableMap(append(body, field...), mysqlKind)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, w := range m.columns {
			got = append(got, w.collation)
		}
		if want := []int{collationBinary, latin1, 0, collationBinary, utf16, utf8mb4}; !slices.Equal(got, want) {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}
