package teleport

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// recordSeq encodes n records of two plugins.
func recordSeq(tb testing.TB, n int) []byte {
	tb.Helper()
	var seq proto.PluginDataSeq
	for i := range n {
		d := must(types.NewPluginData(fmt.Sprintf("request-%d", i), types.KindAccessRequest))(tb).(*types.PluginDataV3)
		d.Spec.Entries = map[string]*types.PluginDataEntry{
			"example": {Data: map[string]string{"user": "mia", "messages": strings.Repeat("C024BE91L/1700000000.000100,", 5), "next": fmt.Sprint(i)}},
			"other":   {Data: map[string]string{"n": "1"}},
		}
		seq.PluginData = append(seq.PluginData, d)
	}
	return must(seq.Marshal())(tb)
}

// oneAnswer answers every call with the same frame, in pieces as they come off
// the wire.
type oneAnswer struct {
	grpc.ClientConnInterface
	frame []byte
}

func (a oneAnswer) Invoke(_ context.Context, _ string, _, reply any, _ ...grpc.CallOption) error {
	var data mem.BufferSlice
	for rest := a.frame; len(rest) > 0; {
		n := min(len(rest), 16<<10)
		piece := append([]byte(nil), rest[:n]...)
		data, rest = append(data, mem.NewBuffer(&piece, nil)), rest[n:]
	}
	defer data.Free()
	return rawCodec{}.Unmarshal(data, reply)
}

func records(frame []byte) (n int, err error) {
	conn := &Conn{grpc: oneAnswer{frame: frame}}
	err = conn.AllPluginData(context.Background(), types.KindAccessRequest, "example", func(id string, data map[string]string) error {
		if id != "request-"+data["next"] {
			return errors.New("a record of another request")
		}
		n++
		return nil
	})
	return n, err
}

func TestRecordsAreReadOneByOne(t *testing.T) {
	if n, err := records(recordSeq(t, 1000)); n != 1000 || err != nil {
		t.Errorf("%d records, %v", n, err)
	}
	if n, err := records(nil); n != 0 || err != nil {
		t.Errorf("nothing: %d records, %v", n, err)
	}
	unknown := protowire.AppendString(protowire.AppendTag(nil, 9, protowire.BytesType), "new")
	unknown = protowire.AppendVarint(protowire.AppendTag(unknown, 1, protowire.VarintType), 7)
	unknown = protowire.AppendFixed32(protowire.AppendTag(unknown, 10, protowire.Fixed32Type), 7)
	unknown = protowire.AppendFixed64(protowire.AppendTag(unknown, 11, protowire.Fixed64Type), 7)
	if n, err := records(append(unknown, recordSeq(t, 2)...)); n != 2 || err != nil {
		t.Errorf("beside unknown fields: %d records, %v", n, err)
	}
}

func TestBrokenRecordsAreAnError(t *testing.T) {
	whole := recordSeq(t, 1)
	for name, frame := range map[string][]byte{
		"cut":                whole[:len(whole)-1],
		"a length alone":     whole[:2],
		"longer than it is":  protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), 1<<62),
		"no such wire type":  {0x0f},
		"a record of rubish": protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "\xff\xff"),
	} {
		if _, err := records(frame); err == nil || !strings.HasPrefix(err.Error(), "reading plugin data of all resources of kind access_request: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(recordSeq(f, 2))
	f.Fuzz(func(_ *testing.T, frame []byte) { _, _ = records(frame) })
}

// The memory that is in use while 50,000 records are walked, beside that of the
// message itself.
func BenchmarkAllPluginData(b *testing.B) {
	frame := recordSeq(b, 50_000)
	for name, walk := range map[string]func(func()) error{
		"one by one": func(look func()) error {
			n := 0
			return (&Conn{grpc: oneAnswer{frame: frame}}).AllPluginData(b.Context(), types.KindAccessRequest, "example", func(string, map[string]string) error {
				if n++; n%10_000 == 5_000 {
					look()
				}
				return nil
			})
		},
		"as a whole": func(look func()) error {
			var seq proto.PluginDataSeq
			err := seq.Unmarshal(append([]byte(nil), frame...))
			look()
			return errors.Join(err, func() error { runtime.KeepAlive(&seq); return nil }())
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			peak := uint64(0)
			for b.Loop() {
				err := walk(func() {
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapAlloc)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(peak-min(peak, uint64(len(frame))))/1e6, "MB-live")
			b.ReportMetric(float64(len(frame))/1e6, "MB-message")
		})
	}
}
