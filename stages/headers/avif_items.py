"""Items of an AVIF: its primary picture, the alpha that belongs to it, and its EXIF.

Box `meta` and those in it: ISO/IEC 14496-12, section 8.11. Which items count is told as libavif tells it.
"""

import struct
from typing import Final

import msgspec

from stages.headers.av1 import Walk
from stages.headers.avif_properties import Properties, is_alpha, read_properties
from stages.headers.boxes import Box, Boxes, bad
from stages.headers.fields import Fields
from stages.headers.header import Part

ITEMS_MAX: Final = 1024
"""In each list of a file: the tiles of a grid, the alpha of each, and metadata."""
REFERENCES_MAX: Final = 4096
"""From items to items, in all."""
ASSOCIATIONS_MAX: Final = 8192
"""Of properties with items, and of items with properties, in all."""
EXTENTS_MAX: Final = 4096
"""Pieces that items lie in, in all."""
UNITS_MAX: Final = 512
"""Of AV1 data, in all: an item has three or four."""
_FRAME_PIXELS_MIN: Final = 64 * 64
"""So many are never too many."""
_FRAME_SHARE_MAX: Final = 4
"""A frame's pixels by what the file says of them; they are the same but for pictures in layers."""

_SHORT_ENTRY: Final = struct.Struct(">Hxx4s")
_LONG_ENTRY: Final = struct.Struct(">Lxx4s")
"""Number and kind of an item."""
_OFFSET_BYTES: Final = 4
_IN_FILE, _IN_IDAT = 0, 1
_CODED: Final = frozenset({b"av01", b"grid"})
_MANY: Final = frozenset({b"free", b"skip", b"uuid"})
"""Boxes that a box may hold several of."""


class Primary(msgspec.Struct, frozen=True):
    """The picture that an AVIF shows."""

    properties: Properties
    has_alpha: bool
    is_gray: bool
    exif: Part | None
    """The TIFF block of the EXIF metadata."""


class Items:
    """What one `meta` box lists."""

    def __init__(self, data: bytes | memoryview, boxes: Boxes, meta: Box) -> None:
        """Raises `FrameError` BAD_IMAGE."""
        self._data = data
        self._boxes = boxes
        self._parts = self._once(boxes.full(meta)[1])
        self._kinds: dict[int, bytes] = {}
        self._auxiliaries: dict[int, list[int]] = {}
        """By the item that they belong to."""
        self._tiles: dict[int, tuple[int, ...]] = {}
        """By the grid that they make."""
        self._described: dict[int, tuple[int, ...]] = {}
        """By the metadata that tells of them."""
        self._properties: list[Box] = []
        self._associated: dict[int, list[int]] = {}
        """Indices of properties, from 1, by item."""
        self._read_kinds()
        self._read_references()
        self._read_properties()

    def primary(self) -> Primary:
        """Describe the primary picture. Raises `FrameError` BAD_IMAGE."""
        item = self._primary_id()
        if self._kinds.get(item) not in _CODED:
            raise bad("has no primary picture that is coded as AV1")
        properties = self._properties_of(item)
        if properties.width == 0:
            raise bad("does not say how large it is")
        tiles = self._tiles.get(item, ())
        coded = self._properties_of(tiles[0]) if tiles else properties
        having_alpha = self._having_alpha()
        self._check_frames(item, properties, having_alpha)
        has_alpha = item in having_alpha or (bool(tiles) and having_alpha.issuperset(tiles))
        return Primary(properties, has_alpha, bool(coded.is_gray), self.exif(item))

    def exif(self, item: int | None) -> Part | None:
        """Find the TIFF block that describes an item; for None, any."""
        for number, kind in self._kinds.items():
            if kind == b"Exif" and (item is None or item in self._described.get(number, ())):
                return self._behind_offset(self._place(number))
        return None

    def _once(self, inside: Part) -> dict[bytes, Box]:
        found: dict[bytes, Box] = {}
        for box in self._boxes.within(inside):
            if box.kind in found and box.kind not in _MANY:
                raise bad("has two boxes where there can be one")
            found[box.kind] = box
        return found

    def _primary_id(self) -> int:
        if b"pitm" not in self._parts:
            raise bad("has no primary picture")
        version, inside = self._boxes.full(self._parts[b"pitm"])
        return Fields(self._data, inside).number(2 if version >> 24 == 0 else 4)

    def _read_kinds(self) -> None:
        if b"iinf" not in self._parts:
            return
        version, inside = self._boxes.full(self._parts[b"iinf"])
        count_bytes = 2 if version >> 24 == 0 else 4
        for box in self._boxes.within(Part(inside.start + count_bytes, inside.end)):
            entry_version, entry = self._boxes.full(box)
            layout = _SHORT_ENTRY if entry_version >> 24 == 2 else _LONG_ENTRY
            if entry.end - entry.start < layout.size:
                raise bad("has a box that is too short for what it says")
            number, kind = layout.unpack_from(self._data, entry.start)
            self._kinds[number] = kind

    def _read_references(self) -> None:
        if b"iref" not in self._parts:
            return
        version, inside = self._boxes.full(self._parts[b"iref"])
        code, id_bytes = ("H", 2) if version >> 24 == 0 else ("L", 4)
        left = REFERENCES_MAX
        for box in self._boxes.within(inside):
            fields = Fields(self._data, box.body)
            source, count = fields.number(id_bytes), fields.number(2)
            left -= count
            if left < 0:
                raise bad(f"has more than {REFERENCES_MAX} references between its items")
            targets = struct.unpack_from(f">{count}{code}", self._data, fields.skip(count * id_bytes))
            if box.kind == b"auxl":
                for target in targets:
                    self._auxiliaries.setdefault(target, []).append(source)
            elif box.kind == b"dimg":
                self._tiles[source] = targets
            elif box.kind == b"cdsc":
                self._described[source] = targets

    def _read_properties(self) -> None:
        if b"iprp" not in self._parts:
            return
        left = ASSOCIATIONS_MAX
        for box in self._boxes.within(self._parts[b"iprp"].body):
            if box.kind == b"ipco" and not self._properties:
                self._properties = list(self._boxes.within(box.body))
            elif box.kind == b"ipma":
                left = self._read_associations(box, left)

    def _read_associations(self, box: Box, left: int) -> int:
        """Return how many more there may be."""
        version, inside = self._boxes.full(box)
        id_bytes = 2 if version >> 24 == 0 else 4
        code, index_bytes, index_mask = ("H", 2, 0x7FFF) if version & 1 else ("B", 1, 0x7F)
        fields = Fields(self._data, inside)
        for _ in range(_items(fields.number(4))):
            item, count = fields.number(id_bytes), fields.number(1)
            left -= count + 1  # the item itself takes its time too, and there may be many such boxes
            if left < 0:
                raise bad(f"has more than {ASSOCIATIONS_MAX} properties of items")
            values = struct.unpack_from(f">{count}{code}", self._data, fields.skip(count * index_bytes))
            self._associated[item] = [value & index_mask for value in values]
        return left

    def _properties_of(self, item: int) -> Properties:
        return read_properties(
            self._data,
            (
                self._properties[index - 1]
                for index in self._associated.get(item, ())
                if 0 < index <= len(self._properties)
            ),
        )

    def _check_frames(self, primary: int, told: Properties, having_alpha: set[int]) -> None:
        """Refuse pixels that take far more memory to decode than the picture's sides tell."""
        items = {primary, *self._tiles.get(primary, ())}
        alphas = {alpha for item in items & having_alpha for alpha in self._auxiliaries[item]}
        items |= alphas.union(*(self._tiles.get(alpha, ()) for alpha in alphas))
        walk = Walk(UNITS_MAX)
        left_bytes = len(self._data)
        for item, parts in self._places().items():
            if item not in items or self._kinds.get(item) != b"av01":
                continue
            own = self._properties_of(item)
            width, height = own.width or told.width, own.height or told.height
            _check_pixels((width, height), (told.width, told.height))
            if len(parts) > 1:
                left_bytes -= sum(part.end - part.start for part in parts)
                if left_bytes < 0:
                    raise bad("has items that share their data")
            pixels = parts[0].of(self._data) if len(parts) == 1 else b"".join(part.of(self._data) for part in parts)
            for size in walk.sizes(pixels):
                _check_pixels(size, (width, height))
            if walk.is_over:
                raise bad(f"has more than {UNITS_MAX} units of AV1 data")

    def _having_alpha(self) -> set[int]:
        """Items that others are the alpha of."""
        alphas = {
            index
            for index, box in enumerate(self._properties, 1)
            if box.kind == b"auxC" and is_alpha(Fields(self._data, box.body))
        }
        are_alpha = {item for item, indices in self._associated.items() if not alphas.isdisjoint(indices)}
        return {item for item, sources in self._auxiliaries.items() if not are_alpha.isdisjoint(sources)}

    def _place(self, item: int) -> Part | None:
        """Where an item lies, if it lies in one piece within the file."""
        parts = self._places().get(item, ())
        return parts[0] if len(parts) == 1 else None

    def _places(self) -> dict[int, list[Part]]:
        """Where items lie, those that lie within the file."""
        found: dict[int, list[Part]] = {}
        if b"iloc" not in self._parts:
            return found
        version_and_flags, inside = self._boxes.full(self._parts[b"iloc"])
        version = version_and_flags >> 24
        fields = Fields(self._data, inside)
        sizes, more_sizes = fields.number(1), fields.number(1)
        offset_bytes, length_bytes = sizes >> 4, sizes & 15
        base_bytes, index_bytes = more_sizes >> 4, more_sizes & 15 if version else 0
        left = EXTENTS_MAX
        for _ in range(_items(fields.number(2 if version < 2 else 4))):
            number = fields.number(2 if version < 2 else 4)
            method = fields.number(2) & 15 if version else _IN_FILE
            fields.skip(2)
            base, count = fields.number(base_bytes), fields.number(2)
            left -= count
            if left < 0:
                raise bad(f"has items in more than {EXTENTS_MAX} pieces")
            parts: list[Part | None] = []
            for _ in range(count):
                fields.skip(index_bytes)
                parts.append(self._within(method, base + fields.number(offset_bytes), fields.number(length_bytes)))
            whole = [part for part in parts if part is not None]
            if whole and len(whole) == count:
                found.setdefault(number, whole)
        return found

    def _within(self, method: int, offset: int, length: int) -> Part | None:
        around = Part(0, len(self._data))
        if method == _IN_IDAT and b"idat" in self._parts:
            around = self._parts[b"idat"].body
        elif method != _IN_FILE:
            return None
        start = around.start + offset
        return Part(start, start + length) if start + length <= around.end else None

    def _behind_offset(self, part: Part | None) -> Part | None:
        """EXIF items begin with the number of bytes from there to the TIFF block."""
        if part is None or part.end - part.start < _OFFSET_BYTES:
            return None
        start = part.start + _OFFSET_BYTES + Fields(self._data, part).number(_OFFSET_BYTES)
        return Part(start, part.end) if start < part.end else None


def _items(count: int) -> int:
    if count > ITEMS_MAX:
        raise bad(f"has more than {ITEMS_MAX} items")
    return count


def _check_pixels(size: tuple[int, int], told: tuple[int, int]) -> None:
    if size[0] * size[1] > max(told[0] * told[1] * _FRAME_SHARE_MAX, _FRAME_PIXELS_MIN):
        raise bad(f"has pixels of {size[0]} x {size[1]} where it says {told[0]} x {told[1]}")
