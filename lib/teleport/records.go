package teleport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// recordsMethod is the call whose answer is a PluginDataSeq.
	recordsMethod = "/proto.AuthService/GetPluginData"
	// recordsField is PluginDataSeq.PluginData.
	recordsField protowire.Number = 1
)

// AllPluginData calls fn with a plugin's record for each resource of a kind
// that has one. The cluster sends them as one message of at most
// [MaxMessageBytes]. It is decoded record by record, and let go as it is read:
// decoded as a whole it would take several times its size. An error of fn ends
// the walk and is returned as it is.
func (c *Conn) AllPluginData(ctx context.Context, kind, plugin string, fn func(resource string, data map[string]string) error) error {
	var frame rawFrame
	filter := &types.PluginDataFilter{Kind: kind, Plugin: plugin}
	err := c.grpc.Invoke(ctx, recordsMethod, filter, &frame, grpc.ForceCodecV2(rawCodec{}))
	var stopped error
	if err == nil {
		err = eachRecord(frame.take(), func(d *types.PluginDataV3) error {
			if data := entry(d, plugin); data != nil {
				stopped = fn(d.GetName(), data)
			}
			return stopped
		})
	}
	switch {
	case stopped != nil:
		return stopped
	case err != nil:
		return failed(err, "reading plugin data of all resources of kind %s", kind)
	}
	return nil
}

// eachRecord calls fn with each record of an encoded PluginDataSeq, which it
// closes. It returns the first error of fn.
func eachRecord(r mem.Reader, fn func(*types.PluginDataV3) error) error {
	defer r.Close()
	var buf []byte
	for r.Remaining() > 0 {
		field, err := nextField(r, buf)
		if err != nil {
			return err
		}
		buf = field.value
		if field.number != recordsField || field.wire != protowire.BytesType {
			continue
		}
		var d types.PluginDataV3 // copies what it keeps
		if err := d.Unmarshal(field.value); err != nil {
			return fmt.Errorf("decoding a record: %w", err)
		}
		if err := fn(&d); err != nil {
			return err
		}
	}
	return nil
}

type wireField struct {
	number protowire.Number
	wire   protowire.Type
	value  []byte // of a field with a length
}

// errFrame says that a message is not what its description says.
var errFrame = errors.New("the cluster's answer cannot be decoded")

// nextField reads one field. Its value is in buf, or in a larger one.
func nextField(r mem.Reader, buf []byte) (f wireField, err error) {
	tag, err := binary.ReadUvarint(r)
	if err != nil {
		return f, fmt.Errorf("%w: %w", errFrame, err)
	}
	f.number, f.wire = protowire.DecodeTag(tag)
	size := uint64(0)
	switch f.wire {
	case protowire.BytesType:
		size, err = binary.ReadUvarint(r)
	case protowire.VarintType:
		_, err = binary.ReadUvarint(r)
	case protowire.Fixed32Type:
		size = 4
	case protowire.Fixed64Type:
		size = 8
	default:
		err = fmt.Errorf("wire type %d", f.wire)
	}
	if err == nil && size > uint64(r.Remaining()) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return f, fmt.Errorf("%w: %w", errFrame, err)
	}
	if uint64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	f.value = buf[:size]
	if _, err := io.ReadFull(r, f.value); err != nil {
		return f, fmt.Errorf("%w: %w", errFrame, err)
	}
	return f, nil
}

// rawFrame takes an answer as it came off the wire.
type rawFrame struct{ data mem.BufferSlice }

// take returns the answer, whose parts are free when they have been read.
func (f *rawFrame) take() mem.Reader {
	defer f.data.Free()
	return f.data.Reader()
}

// rawCodec encodes requests as ever, and leaves answers encoded.
type rawCodec struct{}

// Name implements encoding.CodecV2: on the wire it is what everybody speaks.
func (rawCodec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(interface{ Marshal() ([]byte, error) })
	if !ok {
		return nil, fmt.Errorf("encoding a %T", v)
	}
	b, err := m.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encoding a %T: %w", v, err)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*rawFrame)
	if !ok {
		return fmt.Errorf("decoding into a %T", v)
	}
	data.Ref() // the caller frees its own
	f.data = data
	return nil
}
