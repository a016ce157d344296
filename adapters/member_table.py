"""Text tables in whatever containers: one file, or the members of an archive as one stream of rows.

The first member that is a table says what the columns are; every other table must have the same.
Members that are no market data (a licence, a list of names) are passed over and counted, unless a
member was asked for. Rows come in the order of the members; a member's rows get its name as their
symbol where they have no symbol column.
"""

from bisect import bisect_right
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from adapters.archives import Member, members, reading
from adapters.columns import recognise
from adapters.csv_rows import CsvText, Shape
from adapters.feed_errors import EmptyError, FeedError, FormatError, LayoutError
from adapters.file_options import FileOptions
from adapters.json_rows import JsonText
from adapters.layouts import LAYOUTS
from adapters.tables import Page

_BOM = b"\xef\xbb\xbf"
_FOREIGN = {
    b"PAR1": "a Parquet file inside a container",
    b"ARROW1": "a Feather file inside a container",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"<": "HTML or XML",
    b"{": "JSON that is no array",
}
_NAMED_MEMBERS = 5


class MemberTable:
    """`names` and `layout` are those of the first table found."""

    def __init__(self, path: Path, options: FileOptions) -> None:
        """Raises FeedError."""
        self._path = path
        self._source = str(path)
        self._options = options
        self.counts: dict[str, int] = {}
        self._offsets = [0]
        self._members = [""]
        with reading(self._source):
            self._shape = self._first_shape()
        self.names = self._shape.names
        self.layout = self._shape.layout

    def pages(self, columns: Mapping[str, int]) -> Iterator[Page]:
        self.counts.clear()
        self._offsets, self._members = [], []
        offset = 0
        with reading(self._source), closing(self._wanted()) as wanted:
            for member in wanted:
                found = self._opened(member)
                if found is None:
                    continue
                self._offsets.append(offset)
                self._members.append(member.name)
                start = offset
                for page in found[0].pages(found[1], columns):
                    page = replace(page, lines=page.lines + start, offset=start, symbol=self._symbol(member))
                    offset = int(page.lines[-1])
                    yield page

    def place(self, line: int) -> str:
        at = max(0, bisect_right(self._offsets, line - 1) - 1)
        name = self._members[at]
        return f"{name}: row {line - self._offsets[at]}" if name else f"row {line}"

    def _first_shape(self) -> Shape:
        refused: list[tuple[Member, FeedError]] = []
        with closing(self._wanted()) as wanted:
            for member in wanted:
                try:
                    return self._shape_of(member, self._text(member), self._options)
                except (LayoutError, FormatError, EmptyError) as error:
                    if not member.name:
                        raise
                    refused.append((member, error))
        raise self._none(refused)

    def _none(self, refused: list[tuple[Member, FeedError]]) -> FeedError:
        if not refused:
            asked = f"members named {self._options.member!r}" if self._options.member else "members"
            return EmptyError(f"{self._source}: must hold {asked}, was without")
        names = ", ".join(member.name for member, _ in refused[:_NAMED_MEMBERS])
        if all(isinstance(error, EmptyError) for _, error in refused):
            return EmptyError(f"{self._source}: must hold rows, was empty ({names})")
        if len(refused) == 1:
            return refused[0][1]
        first = next(error for _, error in refused if not isinstance(error, EmptyError))
        return LayoutError(f"{self._source}: a member must hold bars, trades or quotes, was {names} ({first})")

    def _wanted(self) -> Generator[Member, None, None]:
        asked = self._options.member
        with closing(members(self._path)) as found:
            for member in found:
                base = PurePosixPath(member.name).name
                if not asked or fnmatchcase(member.name, asked) or fnmatchcase(base, asked):
                    yield member

    def _opened(self, member: Member) -> "tuple[CsvText | JsonText, Shape] | None":
        """A member as what the table is; None where it is passed over."""
        passed = member.name and not self._options.member
        if passed and _foreign(member):
            self._count("other_member")
            return None
        text = self._text(member)
        try:
            shape = self._same_shape(member, text)
        except EmptyError:
            if not passed:
                raise
            self._count("empty_member")
            return None
        except LayoutError:
            if not passed:
                raise
            self._count("other_member")
            return None
        if shape.names != self.names:
            raise LayoutError(
                f"{self._source}: {member.name}: columns must be {', '.join(self.names)[:200]} as in the member "
                f"before, was {', '.join(shape.names)[:200]}; name the member"
            )
        return text, shape

    def _same_shape(self, member: Member, text: CsvText | JsonText) -> Shape:
        """By the layout that was found; where that does not fit, what else it is."""
        if self._options.columns or self.layout not in LAYOUTS:
            return self._shape_of(member, text, self._options)
        try:
            return self._shape_of(member, text, self._options.model_copy(update={"layout": self.layout}))
        except LayoutError:
            return self._shape_of(member, text, self._options)

    def _text(self, member: Member) -> CsvText | JsonText:
        source = f"{self._source}: {member.name}" if member.name else self._source
        if foreign := _foreign(member):
            raise FormatError(f"{source}: must be CSV, JSON rows, Parquet or Feather, was {foreign}")
        is_json = member.head.removeprefix(_BOM).lstrip().startswith(b"[")
        return JsonText(source, member.stream) if is_json else CsvText(source, member.stream)

    def _shape_of(self, member: Member, text: CsvText | JsonText, options: FileOptions) -> Shape:
        shape = text.shape(options)
        if member.name and not options.columns:
            recognise(f"{self._source}: {member.name}", shape.names, options.mapping)
        return shape

    def _symbol(self, member: Member) -> str:
        """The member's name up to its first dot. What has no letter, such as a date, names nothing."""
        name = PurePosixPath(member.name).name.split(".")[0]
        return name if self._options.symbol is None and any(map(str.isalpha, name)) else ""

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def _foreign(member: Member) -> str:
    """What a member is that is no text table; "" for what may be one."""
    text = member.head.removeprefix(_BOM).lstrip()
    for sign, name in _FOREIGN.items():
        if member.head.startswith(sign) or text.startswith(sign):
            return name
    return "binary data" if b"\0" in member.head else ""
