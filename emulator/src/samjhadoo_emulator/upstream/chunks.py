"""S3's own chunked bodies (`aws-chunked`): taking off the signatures of a client's key.

Each chunk is `SIZE;chunk-signature=HEX`, a line's end, the data and a line's end; the last has size 0 and may
be followed by trailers (checksums), and by a signature of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_SIGNATURE = b"x-amz-trailer-signature"
_LONGEST_LINE = 1 << 14
_END = b"\r\n"


class _Reader:
    """Reads lines and runs of bytes from pieces."""

    def __init__(self, content: AsyncIterable[bytes]) -> None:
        self._pieces = aiter(content)
        self._buffer = bytearray()

    async def _more(self) -> bool:
        piece = await anext(self._pieces, b"")
        self._buffer += piece
        return bool(piece)

    async def line(self) -> bytes | None:
        """Return the next line without its end; None after the last."""
        while (end := self._buffer.find(_END)) < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise _malformed("a line is too long")
            if not await self._more():
                if self._buffer:
                    raise _malformed("it ends in a line")
                return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + len(_END)]
        return line

    async def data(self, size: int) -> AsyncIterator[bytes]:
        """Yield the data of a chunk as it comes, and take its line's end."""
        while size:
            if not self._buffer and not await self._more():
                raise _malformed("it ends in a chunk")
            piece = bytes(self._buffer[:size])
            del self._buffer[: len(piece)]
            size -= len(piece)
            yield piece
        if await self.line() != b"":
            raise _malformed("a chunk is longer than its size")


async def plain_chunks(content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the data alone.

    Raises:
        AwsError: The body is not in chunks.

    """
    reader = _Reader(content)
    while size := await _size(reader):
        async for piece in reader.data(size):
            yield piece
    while await reader.line():
        pass


async def unsigned_chunks(content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield chunks and trailers without their signatures.

    Raises:
        AwsError: The body is not in chunks.

    """
    reader = _Reader(content)
    while size := await _size(reader):
        yield f"{size:x}".encode() + _END
        async for piece in reader.data(size):
            yield piece
        yield _END
    yield b"0" + _END
    while line := await reader.line():
        if line.partition(b":")[0].strip().lower() != _SIGNATURE:
            yield line + _END
    yield _END


async def _size(reader: _Reader) -> int:
    line = await reader.line()
    try:
        return int((line or b"").partition(b";")[0], 16)
    except ValueError as error:
        raise _malformed("a chunk has no size") from error


def _malformed(reason: str) -> AwsError:
    return AwsError("IncompleteBody", f"The body is not in aws-chunked form: {reason}.")
