"""What can be wrong with a file as a whole. A row that is wrong is an `engine.blocks.BlockError`.

FeedError
├── FileError        missing, not a file, not permitted
│   └── EmptyError   no rows; among several files it is one to skip
├── FormatError      no format that is read here, truncated, not UTF-8, broken quoting
├── LayoutError      columns missing, ambiguous or wrongly mapped
├── TimeframeError   the spacing of the stamps is no timeframe, or not the one asked for
├── OrderError       out of order where sorting was not allowed
├── CalendarError    unknown calendar, or dates outside it
└── PackageError     an optional package is not installed
"""


class FeedError(ValueError):
    """A file cannot be a feed. Names the file, what was expected and what was found."""


class FileError(FeedError):
    pass


class EmptyError(FileError):
    pass


class FormatError(FeedError):
    pass


class LayoutError(FeedError):
    pass


class TimeframeError(FeedError):
    pass


class OrderError(FeedError):
    pass


class CalendarError(FeedError):
    pass


class PackageError(FeedError):
    pass
