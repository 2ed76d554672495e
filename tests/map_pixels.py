# SPDX-License-Identifier: MIT
"""map_pixels.py DOM PNG [dark]: of a map as a browser has it in its DOM and on its screen, a line "CLASS SQUARES BLOCKS FREE BARE"
for each group, of those rects alone in the middle of which the screen has the colour of their shade."""
import re
import struct
import sys
import zlib


def rows_of(name):
    """The pixels of a PNG of 8 bits a channel, RGB or RGBA, not interlaced: what a browser writes."""
    with open(name, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunk)
            assert depth == 8 and colour in (2, 6) and not interlaced, "another kind of PNG"
        elif kind == b"IDAT":
            packed += chunk
        at += 12 + length
    size = 3 if colour == 2 else 4
    stride, raw = width * size, zlib.decompress(packed)
    rows, above = [], bytearray(stride)
    for y in range(height):
        kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left = row[i - size] if i >= size else 0
            up, corner = above[i], above[i - size] if i >= size else 0
            if kind == 1:
                row[i] = row[i] + left & 255
            elif kind == 2:
                row[i] = row[i] + up & 255
            elif kind == 3:
                row[i] = row[i] + (left + up) // 2 & 255
            elif kind == 4:
                p = left + up - corner
                a, b, c = abs(p - left), abs(p - up), abs(p - corner)
                row[i] = row[i] + (left if a <= b and a <= c else up if b <= c else corner) & 255
        rows.append(row)
        above = row
    return rows, width, height, size


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        dom = file.read()
    rows, width, height, size = rows_of(sys.argv[2])
    light, dark = dom.split("@media (prefers-color-scheme: dark)")
    style = dark if sys.argv[3:] == ["dark"] else light
    colours = {shade: bytes.fromhex(rgb) for shade, rgb in re.findall(r"\.(s\d) \{ fill: #([0-9a-f]{6}) \}", style)}
    assert len(set(colours.values())) == 7, "seven shades"

    def drawn(rect):
        x, y = (int(rect[side]) + int(rect[length]) // 2 for side, length in (("x", "width"), ("y", "height")))
        return 0 <= x < width and 0 <= y < height and rows[y][x * size:x * size + 3] == colours.get(rect["class"])

    def attributes(tag):
        return dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))

    legend = re.search(r'<g class="legend">.*?</g>', dom, re.S).group()
    print("legend", sum(drawn(attributes(tag)) for tag in re.findall(r"<rect [^>]*>", legend)))
    for group in re.findall(r'<g class="group".*?</g>', dom, re.S):
        rects = [attributes(tag) for tag in re.findall(r"<rect [^>]*>", group)]
        rects = [rect for rect in rects if drawn(rect)]
        sums = [sum(int(rect["data-" + what]) for rect in rects) for what in ("blocks", "free", "bare")]
        print(attributes(group[:group.index(">")])["data-class"], len(rects), *sums)


main()
