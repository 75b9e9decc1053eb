package page_test

import (
	"cmp"
	"image"
	"image/color"
	"image/gif"
	"io"
	"slices"
	"testing"
	"time"
)

// colours is how many colours a moving picture has, and steps how many of each of red,
// green and blue are told apart.
const (
	colours = 200
	steps   = 32
)

// movie is a picture that moves. Of each frame it keeps what has changed.
type movie struct {
	frames []image.Image
	delays []time.Duration
}

// add adds a frame that is shown for a time. One like the frame before only prolongs it.
func (m *movie) add(t *testing.T, frame image.Image, lasts time.Duration) {
	t.Helper()
	if n := len(m.frames); n > 0 && changed(m.frames[n-1], frame).Empty() {
		m.delays[n-1] += lasts
		return
	}
	m.frames, m.delays = append(m.frames, frame), append(m.delays, lasts)
}

// changed is the smallest rectangle in which two frames differ.
func changed(a, b image.Image) (r image.Rectangle) {
	for y := range b.Bounds().Dy() {
		for x := range b.Bounds().Dx() {
			if a.At(x, y) != b.At(x, y) {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return r
}

// encode writes the picture as a GIF that begins again and again.
func (m *movie) encode(w io.Writer) error {
	palette := m.palette()
	nearest := make(map[color.Color]uint8)
	index := func(c color.Color) uint8 {
		c = coarse(c)
		i, known := nearest[c]
		if !known {
			i = uint8(palette[1:].Index(c) + 1)
			nearest[c] = i
		}
		return i
	}
	var out gif.GIF
	for i, frame := range m.frames {
		r := frame.Bounds()
		if i > 0 {
			r = changed(m.frames[i-1], frame)
		}
		p := image.NewPaletted(r, palette)
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				c := index(frame.At(x, y))
				if i > 0 && c == index(m.frames[i-1].At(x, y)) {
					c = 0 // as it was: transparent
				}
				p.SetColorIndex(x, y, c)
			}
		}
		out.Image, out.Delay = append(out.Image, p), append(out.Delay, int(m.delays[i]/(10*time.Millisecond)))
		out.Disposal = append(out.Disposal, gif.DisposalNone)
	}
	return gif.EncodeAll(w, &out)
}

// palette are the colours that there is most of, and a transparent one at the beginning.
func (m *movie) palette() color.Palette {
	count := make(map[color.Color]int)
	for _, frame := range m.frames {
		for y := range frame.Bounds().Dy() {
			for x := range frame.Bounds().Dx() {
				count[coarse(frame.At(x, y))]++
			}
		}
	}
	var list []color.Color
	for c := range count {
		list = append(list, c)
	}
	// Of colours that there is as much of, the order is still the same each time.
	slices.SortFunc(list, func(a, b color.Color) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(shade(a), shade(b)))
	})
	return append(color.Palette{color.Transparent}, list[:min(len(list), colours)]...)
}

func shade(c color.Color) uint32 {
	r, g, b, _ := c.RGBA()
	return r>>8<<16 | g>>8<<8 | b>>8
}

// coarse is a colour with fewer shades; white and black stay.
func coarse(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	round := func(v uint32) uint8 {
		v = v >> 8 * (steps - 1)
		return uint8((v + 127) / 255 * 255 / (steps - 1))
	}
	return color.RGBA{round(r), round(g), round(b), 0xff}
}
